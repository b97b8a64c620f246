#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <set>

#include "base/checked_math.h"
#include "base/log.h"
#include "repository/config_json.h"
#include "repository/config_text.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using simdjson::dom::element;

constexpr std::size_t kShownByteSizeMax = 128;

Status Fault(const std::string& path, std::string_view what) {
  return InvalidArgument("{}: {}", path, what);
}

std::string Below(const std::string& path, std::string_view name) {
  const std::string shown = EscapeForLog(name, kShownByteSizeMax);
  return path.empty() ? shown : path + "." + shown;
}

const FieldDescriptor* FindField(const Descriptor& descriptor, std::string_view name) {
  const std::string key(name);
  const FieldDescriptor* field = descriptor.FindFieldByName(key);
  return field != nullptr ? field : descriptor.FindFieldByCamelcaseName(key);
}

// A number, or a decimal string. Numbers with a fraction part of zero count as integers.
template <typename T>
Result<T> ReadInteger(element value, const std::string& path) {
  const Status out_of_range = Fault(path, "the number is out of range");
  if (std::string_view text; value.get(text) == simdjson::SUCCESS) {
    const auto parsed = ParseDecimal<T>(text);
    return parsed ? Result<T>(*parsed)
                  : Result<T>(Fault(path, "the text is not an integer of this field's type"));
  }
  if (std::int64_t number; value.get(number) == simdjson::SUCCESS) {
    return std::in_range<T>(number) ? Result<T>(static_cast<T>(number)) : Result<T>(out_of_range);
  }
  if (std::uint64_t number; value.get(number) == simdjson::SUCCESS) {
    return std::in_range<T>(number) ? Result<T>(static_cast<T>(number)) : Result<T>(out_of_range);
  }
  constexpr double kExactMax =
      9007199254740992.0;  // 2^53: beyond, a double may be a rounded integer
  if (double number; value.get(number) == simdjson::SUCCESS && std::trunc(number) == number) {
    if (std::fabs(number) <= kExactMax && std::in_range<T>(static_cast<std::int64_t>(number))) {
      return static_cast<T>(static_cast<std::int64_t>(number));
    }
    return out_of_range;
  }
  return Fault(path, "an integer is expected");
}

Result<double> ReadReal(element value, const std::string& path) {
  if (double number; value.get(number) == simdjson::SUCCESS) {
    return number;
  }
  if (std::string_view text; value.get(text) == simdjson::SUCCESS) {
    if (text == "NaN") {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (text == "Infinity" || text == "-Infinity") {
      const double infinity = std::numeric_limits<double>::infinity();
      return text.front() == '-' ? -infinity : infinity;
    }
  }
  return Fault(path, "a number is expected");
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::toupper(x) == std::toupper(y);
  });
}

Result<int> ReadEnum(element value, const FieldDescriptor& field, const std::string& path) {
  std::string_view text;
  const bool is_text = value.get(text) == simdjson::SUCCESS;
  std::int64_t number = 0;
  const bool is_number = value.get(number) == simdjson::SUCCESS;
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    const EnumValueDescriptor& candidate = *field.enum_type()->value(i);
    if ((is_text && EqualIgnoringCase(text, candidate.name())) ||
        (is_number && number == candidate.number())) {
      return candidate.number();
    }
  }
  return Fault(path,
               fmt::format("'{}' is no value of {}",
                           is_text ? EscapeForLog(text, kShownByteSizeMax) : fmt::to_string(number),
                           field.enum_type()->name()));
}

class Reader {
 public:
  Status ReadMessage(element value, Message& message, const std::string& path) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) {
      return Fault(path.empty() ? "model configuration" : path, "an object is expected");
    }
    std::set<const void*> seen;  // fields and alternatives
    for (const auto& [key, member] : object) {
      const std::string below = Below(path, key);
      const FieldDescriptor* field = FindField(*message.GetDescriptor(), key);
      if (field == nullptr) {
        return Fault(below, "Cannot find field.");
      }
      if (member.is_null()) {
        continue;
      }
      if (!seen.insert(field).second) {
        return Fault(below, "the field is given twice");
      }
      if (field->real_containing_oneof() != nullptr &&
          !seen.insert(field->real_containing_oneof()).second) {
        return Fault(below, fmt::format("another field of '{}' is already set",
                                        field->real_containing_oneof()->name()));
      }
      HEADRACE_RETURN_IF_ERROR(ReadField(member, *field, message, below));
    }
    return OkStatus();
  }

 private:
  Status ReadField(element value, const FieldDescriptor& field, Message& message,
                   const std::string& path) {
    if (field.is_map()) {
      return ReadMap(value, field, message, path);
    }
    if (!field.is_repeated()) {
      return ReadValue(value, field, message, path);
    }
    simdjson::dom::array array;
    if (value.get(array) != simdjson::SUCCESS) {
      return Fault(path, "a list is expected");
    }
    for (const element item : array) {
      HEADRACE_RETURN_IF_ERROR(ReadValue(item, field, message, path));
    }
    return OkStatus();
  }

  Status ReadMap(element value, const FieldDescriptor& field, Message& message,
                 const std::string& path) {
    simdjson::dom::object object;
    if (value.get(object) != simdjson::SUCCESS) {
      return Fault(path, "an object is expected");
    }
    const FieldDescriptor& key_field = *field.message_type()->map_key();
    const FieldDescriptor& value_field = *field.message_type()->map_value();
    std::set<std::string_view> seen;
    for (const auto& [key, member] : object) {
      const std::string below = Below(path, key);
      if (!seen.insert(key).second) {
        return Fault(below, "the key is given twice");
      }
      Message& entry = *message.GetReflection()->AddMessage(&message, &field);
      if (key_field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        entry.GetReflection()->SetString(&entry, &key_field, std::string(key));
      } else {
        const auto number = ParseDecimal<std::uint64_t>(key);
        if (!number) {
          return Fault(below, "the key is not an integer of this field's type");
        }
        entry.GetReflection()->SetUInt64(&entry, &key_field, *number);
      }
      HEADRACE_RETURN_IF_ERROR(ReadValue(member, value_field, entry, below));
    }
    return OkStatus();
  }

  // Sets the field, or appends to it when it is a list.
  Status ReadValue(element value, const FieldDescriptor& field, Message& message,
                   const std::string& path) {
    const auto& r = *message.GetReflection();
    const bool list = field.is_repeated();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32: {
        HEADRACE_ASSIGN_OR_RETURN(const auto v, ReadInteger<std::int32_t>(value, path));
        list ? r.AddInt32(&message, &field, v) : r.SetInt32(&message, &field, v);
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        HEADRACE_ASSIGN_OR_RETURN(const auto v, ReadInteger<std::int64_t>(value, path));
        list ? r.AddInt64(&message, &field, v) : r.SetInt64(&message, &field, v);
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        HEADRACE_ASSIGN_OR_RETURN(const auto v, ReadInteger<std::uint32_t>(value, path));
        list ? r.AddUInt32(&message, &field, v) : r.SetUInt32(&message, &field, v);
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        HEADRACE_ASSIGN_OR_RETURN(const auto v, ReadInteger<std::uint64_t>(value, path));
        list ? r.AddUInt64(&message, &field, v) : r.SetUInt64(&message, &field, v);
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_FLOAT: {
        HEADRACE_ASSIGN_OR_RETURN(const double v, ReadReal(value, path));
        if (std::isfinite(v) && std::fabs(v) > std::numeric_limits<float>::max()) {
          return Fault(path, "the number is out of range");
        }
        const auto narrow = static_cast<float>(v);
        list ? r.AddFloat(&message, &field, narrow) : r.SetFloat(&message, &field, narrow);
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        HEADRACE_ASSIGN_OR_RETURN(const double v, ReadReal(value, path));
        list ? r.AddDouble(&message, &field, v) : r.SetDouble(&message, &field, v);
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_BOOL: {
        bool v = false;
        if (value.get(v) != simdjson::SUCCESS) {
          return Fault(path, "true or false is expected");
        }
        list ? r.AddBool(&message, &field, v) : r.SetBool(&message, &field, v);
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string_view v;
        if (value.get(v) != simdjson::SUCCESS) {
          return Fault(path, "a string is expected");
        }
        list ? r.AddString(&message, &field, std::string(v))
             : r.SetString(&message, &field, std::string(v));
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        HEADRACE_ASSIGN_OR_RETURN(const int v, ReadEnum(value, field, path));
        list ? r.AddEnumValue(&message, &field, v) : r.SetEnumValue(&message, &field, v);
        return OkStatus();
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return ReadMessage(
            value, list ? *r.AddMessage(&message, &field) : *r.MutableMessage(&message, &field),
            path);
    }
    return Internal("{}: a field type that is not handled", path);
  }
};

}  // namespace

Result<inference::ModelConfig> ConfigFromJson(std::string_view json) {
  if (json.size() > kConfigByteSizeMax) {
    return InvalidArgument("{} bytes are more than the {} that a configuration may have",
                           json.size(), kConfigByteSizeMax);
  }
  simdjson::dom::parser parser(kConfigByteSizeMax);
  if (parser.allocate(std::max<std::size_t>(json.size(), 1), kConfigDepthMax) !=
      simdjson::SUCCESS) {
    return ResourceExhausted("no memory to read a configuration of {} bytes", json.size());
  }
  const simdjson::padded_string padded(json);
  element root;
  if (const auto error = parser.parse(padded).get(root); error != simdjson::SUCCESS) {
    return InvalidArgument("not valid JSON: {}", simdjson::error_message(error));
  }
  inference::ModelConfig config;
  HEADRACE_RETURN_IF_ERROR(Reader().ReadMessage(root, config, ""));
  return config;
}

}  // namespace headrace::repository
