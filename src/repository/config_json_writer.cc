#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <map>

#include "repository/config_json.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

class Writer {
 public:
  void WriteMessage(const Message& message) {
    const Descriptor& descriptor = *message.GetDescriptor();
    out_ += '{';
    bool first = true;
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const FieldDescriptor& field = *descriptor.field(i);
      // Presence exists for messages and for alternatives of a oneof; the rest always has a value.
      if (field.has_presence() && !message.GetReflection()->HasField(message, &field)) {
        continue;
      }
      if (!first) {
        out_ += ',';
      }
      first = false;
      WriteString(field.name());
      out_ += ':';
      WriteField(message, field);
    }
    out_ += '}';
  }

  std::string Take() && { return std::move(out_); }

 private:
  void WriteField(const Message& message, const FieldDescriptor& field) {
    if (field.is_map()) {
      WriteMap(message, field);
    } else if (field.is_repeated()) {
      const int count = message.GetReflection()->FieldSize(message, &field);
      out_ += '[';
      for (int i = 0; i < count; ++i) {
        if (i > 0) {
          out_ += ',';
        }
        WriteValue(message, field, i);
      }
      out_ += ']';
    } else {
      WriteValue(message, field, -1);
    }
  }

  // Sorted by key, so that equal configurations have equal texts.
  void WriteMap(const Message& message, const FieldDescriptor& field) {
    const auto& reflection = *message.GetReflection();
    const FieldDescriptor& key_field = *field.message_type()->map_key();
    const FieldDescriptor& value_field = *field.message_type()->map_value();
    std::map<std::string, const Message*> entries;
    for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
      const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
      const auto& entry_reflection = *entry.GetReflection();
      entries[key_field.cpp_type() == FieldDescriptor::CPPTYPE_STRING
                  ? entry_reflection.GetString(entry, &key_field)
                  : fmt::to_string(entry_reflection.GetUInt64(entry, &key_field))] = &entry;
    }
    out_ += '{';
    bool first = true;
    for (const auto& [key, entry] : entries) {
      if (!first) {
        out_ += ',';
      }
      first = false;
      WriteString(key);
      out_ += ':';
      WriteValue(*entry, value_field, -1);
    }
    out_ += '}';
  }

  // Element `index` of a list, or the single value for -1.
  void WriteValue(const Message& message, const FieldDescriptor& field, int index) {
    const auto& r = *message.GetReflection();
    const bool one = index < 0;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return Append(one ? r.GetInt32(message, &field)
                          : r.GetRepeatedInt32(message, &field, index));
      case FieldDescriptor::CPPTYPE_INT64:
        return Append(one ? r.GetInt64(message, &field)
                          : r.GetRepeatedInt64(message, &field, index));
      case FieldDescriptor::CPPTYPE_UINT32:
        return Append(one ? r.GetUInt32(message, &field)
                          : r.GetRepeatedUInt32(message, &field, index));
      case FieldDescriptor::CPPTYPE_UINT64:
        return Append(one ? r.GetUInt64(message, &field)
                          : r.GetRepeatedUInt64(message, &field, index));
      case FieldDescriptor::CPPTYPE_BOOL:
        return Append(one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return AppendReal(one ? r.GetFloat(message, &field)
                              : r.GetRepeatedFloat(message, &field, index));
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return AppendReal(one ? r.GetDouble(message, &field)
                              : r.GetRepeatedDouble(message, &field, index));
      case FieldDescriptor::CPPTYPE_STRING:
        return WriteString(one ? r.GetString(message, &field)
                               : r.GetRepeatedString(message, &field, index));
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int number =
            one ? r.GetEnumValue(message, &field) : r.GetRepeatedEnumValue(message, &field, index);
        const auto* value = field.enum_type()->FindValueByNumber(number);
        return value != nullptr ? WriteString(value->name()) : Append(number);
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return WriteMessage(one ? r.GetMessage(message, &field)
                                : r.GetRepeatedMessage(message, &field, index));
    }
  }

  template <typename T>
  void Append(T value) {
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }

  template <typename T>
  void AppendReal(T value) {
    if (std::isnan(value)) {
      out_ += "\"NaN\"";
    } else if (std::isinf(value)) {
      out_ += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    } else {
      Append(value);
    }
  }

  void WriteString(std::string_view text) {
    out_ += '"';
    for (const char c : text) {
      switch (c) {
        case '"':
          out_ += "\\\"";
          break;
        case '\\':
          out_ += "\\\\";
          break;
        case '\n':
          out_ += "\\n";
          break;
        case '\t':
          out_ += "\\t";
          break;
        default:
          if (static_cast<unsigned char>(c) < 0x20) {
            fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
          } else {
            out_ += c;
          }
      }
    }
    out_ += '"';
  }

  std::string out_;
};

}  // namespace

std::string ConfigToJson(const inference::ModelConfig& config) {
  Writer writer;
  writer.WriteMessage(config);
  return std::move(writer).Take();
}

}  // namespace headrace::repository
