#include "repository/field_walk.h"

#include <vector>

#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::vector<const FieldDescriptor*> SetFields(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

std::string Join(const std::string& prefix, const FieldDescriptor& field) {
  return prefix.empty() ? field.name() : prefix + "." + field.name();
}

void WalkFields(const Message& message, const std::string& prefix, const FieldVisitor& visitor);

// `value` is an element of `field`. Of an entry of a map only the value has fields.
void WalkElement(const FieldDescriptor& field, const Message& value, const std::string& path,
                 const FieldVisitor& visitor) {
  if (!field.is_map()) {
    WalkFields(value, path, visitor);
    return;
  }
  const FieldDescriptor* mapped = field.message_type()->map_value();
  if (mapped->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    WalkFields(value.GetReflection()->GetMessage(value, mapped), path, visitor);
  }
}

void WalkFields(const Message& message, const std::string& prefix, const FieldVisitor& visitor) {
  const Reflection& reflection = *message.GetReflection();
  for (const FieldDescriptor* field : SetFields(message)) {
    const std::string path = Join(prefix, *field);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      visitor(path, *field);
      continue;
    }
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (visitor(path, *field)) {
        const Message& value = field->is_repeated()
                                   ? reflection.GetRepeatedMessage(message, field, i)
                                   : reflection.GetMessage(message, field);
        WalkElement(*field, value, path, visitor);
      }
    }
  }
}

using StringVisitor = std::function<void(const std::string&, const std::string&)>;

void WalkStringsBelow(const Message& message, const std::string& prefix,
                      const StringVisitor& visitor) {
  const Reflection& reflection = *message.GetReflection();
  for (const FieldDescriptor* field : SetFields(message)) {
    const std::string path = Join(prefix, *field);
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        visitor(path, field->is_repeated() ? reflection.GetRepeatedString(message, field, i)
                                           : reflection.GetString(message, field));
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        WalkStringsBelow(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                              : reflection.GetMessage(message, field),
                         path, visitor);
      }
    }
  }
}

}  // namespace

void WalkSetFields(const Message& message, const FieldVisitor& visitor) {
  WalkFields(message, "", visitor);
}

void WalkStrings(const Message& message, const StringVisitor& visitor) {
  WalkStringsBelow(message, "", visitor);
}

}  // namespace headrace::repository
