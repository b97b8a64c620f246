#include "bench/json_value.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

namespace dom = simdjson::dom;

JsonValue Convert(const dom::element& element) {
  switch (element.type()) {
    case dom::element_type::ARRAY: {
      JsonValue::Array array;
      for (const dom::element one : dom::array(element)) {
        array.push_back(Convert(one));
      }
      return array;
    }
    case dom::element_type::OBJECT: {
      JsonValue::Object object;
      for (const auto& [key, value] : dom::object(element)) {
        object.emplace_back(std::string(key), Convert(value));
      }
      return object;
    }
    case dom::element_type::INT64:
      return static_cast<std::int64_t>(std::int64_t(element));
    case dom::element_type::UINT64:
      return static_cast<std::uint64_t>(std::uint64_t(element));
    case dom::element_type::DOUBLE:
      return double(element);
    case dom::element_type::STRING:
      return std::string(std::string_view(element));
    case dom::element_type::BOOL:
      return bool(element);
    default:
      return {};
  }
}

void Write(const JsonValue& value, protocol::JsonWriter& json);

struct Writer {
  protocol::JsonWriter& json;
  void operator()(std::monostate) const { json.Raw("null"); }
  void operator()(bool value) const { json.Bool(value); }
  void operator()(std::int64_t value) const { json.Int(value); }
  void operator()(std::uint64_t value) const { json.Uint(value); }
  void operator()(double value) const { json.Double(value); }
  void operator()(const std::string& value) const { json.String(value); }
};

void Write(const JsonValue& value, protocol::JsonWriter& json) {
  if (value.is_object()) {
    json.BeginObject();
    for (const auto& [key, member] : value.members()) {
      json.Key(key);
      Write(member, json);
    }
    json.EndObject();
  } else if (value.is_array()) {
    json.BeginArray();
    for (const JsonValue& element : value.elements()) {
      Write(element, json);
    }
    json.EndArray();
  } else {
    json.Raw(value.Text());
  }
}

}  // namespace

Result<JsonValue> JsonValue::Parse(std::string_view text) {
  dom::parser parser;
  dom::element element;
  if (const auto error = parser.parse(text.data(), text.size()).get(element);
      error != simdjson::SUCCESS) {
    return InvalidArgument("this is no JSON: {}", simdjson::error_message(error));
  }
  return Convert(element);
}

std::string JsonValue::Text() const {
  std::string text;
  protocol::JsonWriter json(text);
  if (is_object() || is_array()) {
    Write(*this, json);
    return text;
  }
  std::visit(
      [&](const auto& value) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(value)>, Array> &&
                      !std::is_same_v<std::decay_t<decltype(value)>, Object>) {
          Writer{json}(value);
        }
      },
      value_);
  return text;
}

std::int64_t JsonValue::AsInt(std::int64_t otherwise) const {
  if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    return *integer;
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value_)) {
    return static_cast<std::int64_t>(std::min<std::uint64_t>(*number, INT64_MAX));
  }
  if (const auto* number = std::get_if<double>(&value_)) {
    return *number >= -9e18 && *number <= 9e18 ? static_cast<std::int64_t>(*number) : otherwise;
  }
  if (const auto* text = std::get_if<std::string>(&value_)) {
    std::int64_t integer = 0;
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, integer);
    return error == std::errc() && stop == end && !text->empty() ? integer : otherwise;
  }
  return otherwise;
}

double JsonValue::AsDouble(double otherwise) const {
  if (const auto* number = std::get_if<double>(&value_)) {
    return *number;
  }
  if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    return static_cast<double>(*integer);
  }
  if (const auto* integer = std::get_if<std::uint64_t>(&value_)) {
    return static_cast<double>(*integer);
  }
  return otherwise;
}

bool JsonValue::AsBool(bool otherwise) const {
  const auto* flag = std::get_if<bool>(&value_);
  return flag == nullptr ? otherwise : *flag;
}

std::string_view JsonValue::AsString(std::string_view otherwise) const {
  const auto* text = std::get_if<std::string>(&value_);
  return text == nullptr ? otherwise : std::string_view(*text);
}

const JsonValue::Array& JsonValue::elements() const {
  static const Array kNone;
  const auto* array = std::get_if<Array>(&value_);
  return array == nullptr ? kNone : *array;
}

const JsonValue::Object& JsonValue::members() const {
  static const Object kNone;
  const auto* object = std::get_if<Object>(&value_);
  return object == nullptr ? kNone : *object;
}

const JsonValue* JsonValue::Find(std::string_view key) const {
  for (const auto& [name, value] : members()) {
    if (name == key) {
      return &value;
    }
  }
  return nullptr;
}

const JsonValue& JsonValue::At(std::string_view key) const {
  static const JsonValue kNull;
  const JsonValue* member = Find(key);
  return member == nullptr ? kNull : *member;
}

JsonValue& JsonValue::operator[](std::string_view key) {
  if (!is_object()) {
    value_ = Object();
  }
  auto& object = std::get<Object>(value_);
  for (auto& [name, value] : object) {
    if (name == key) {
      return value;
    }
  }
  return object.emplace_back(std::string(key), JsonValue()).second;
}

void JsonValue::Erase(std::string_view key) {
  if (auto* object = std::get_if<Object>(&value_)) {
    std::erase_if(*object, [&](const auto& member) { return member.first == key; });
  }
}

void JsonValue::Append(JsonValue element) {
  if (!is_array()) {
    value_ = Array();
  }
  std::get<Array>(value_).push_back(std::move(element));
}

void JsonValue::MergePatch(const JsonValue& patch) {
  if (!patch.is_object()) {
    *this = patch;
    return;
  }
  if (!is_object()) {
    value_ = Object();
  }
  for (const auto& [key, value] : patch.members()) {
    if (value.is_null()) {
      Erase(key);
    } else {
      (*this)[key].MergePatch(value);
    }
  }
}

}  // namespace headrace::bench
