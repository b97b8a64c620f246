#include "bench/json_reader.h"

#include <fmt/format.h>

#include <climits>

namespace headrace::bench {

namespace dom = simdjson::dom;

JsonReader::JsonReader(dom::element element, std::string path, Status& status)
    : path_(std::move(path)), status_(status) {
  is_object_ = element.get(object_) == simdjson::SUCCESS;
  if (!is_object_ && status_.ok()) {
    status_ = InvalidArgument("'{}' is no object", path_.empty() ? "the document" : path_);
  }
}

std::optional<dom::element> JsonReader::Member(std::string_view name) const {
  dom::element element;
  if (!is_object_ || object_.at_key(name).get(element) != simdjson::SUCCESS || element.is_null()) {
    return std::nullopt;
  }
  return element;
}

std::optional<dom::array> JsonReader::Array(std::string_view name) const {
  const auto member = Member(name);
  if (!member) {
    return std::nullopt;
  }
  dom::array array;
  if (member->get(array) != simdjson::SUCCESS) {
    Fail(name, "is no array");
    return std::nullopt;
  }
  return array;
}

void JsonReader::Fail(std::string_view name, std::string_view what) const {
  if (status_.ok()) {
    status_ = InvalidArgument("'{}{}{}' {}", path_, path_.empty() ? "" : ".", name, what);
  }
}

void JsonReader::Read(std::string_view name, std::string& field) const {
  if (const auto member = Member(name)) {
    std::string_view text;
    if (member->get(text) != simdjson::SUCCESS) {
      return Fail(name, "is no string");
    }
    field = text;
  }
}

void JsonReader::Read(std::string_view name, bool& field) const {
  if (const auto member = Member(name); member && member->get(field) != simdjson::SUCCESS) {
    Fail(name, "is neither true nor false");
  }
}

void JsonReader::Read(std::string_view name, double& field) const {
  if (const auto member = Member(name); member && member->get(field) != simdjson::SUCCESS) {
    Fail(name, "is no number");
  }
}

void JsonReader::Read(std::string_view name, std::int64_t& field) const {
  if (const auto member = Member(name); member && member->get(field) != simdjson::SUCCESS) {
    Fail(name, "is no whole number of 64 bits");
  }
}

void JsonReader::Read(std::string_view name, std::uint64_t& field) const {
  if (const auto member = Member(name); member && member->get(field) != simdjson::SUCCESS) {
    Fail(name, "is no whole number from 0");
  }
}

void JsonReader::Read(std::string_view name, int& field) const {
  std::int64_t wide = field;
  Read(name, wide);
  if (wide < INT_MIN || wide > INT_MAX) {
    return Fail(name, "is out of range");
  }
  field = static_cast<int>(wide);
}

void JsonReader::Object(std::string_view name,
                        const std::function<void(const JsonReader&)>& read) const {
  if (const auto member = Member(name); member && ok()) {
    read(
        JsonReader(*member, fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", name), status_));
  }
}

void JsonReader::Each(std::string_view name,
                      const std::function<void(const JsonReader&)>& read) const {
  const auto array = Array(name);
  if (!array) {
    return;
  }
  std::size_t index = 0;
  for (const dom::element element : *array) {
    if (!ok()) {
      return;
    }
    read(JsonReader(
        element, fmt::format("{}{}{}[{}]", path_, path_.empty() ? "" : ".", name, index), status_));
    ++index;
  }
}

void JsonReader::EachMember(
    std::string_view name,
    const std::function<void(std::string_view, const JsonReader&)>& read) const {
  Object(name, [&read](const JsonReader& inner) {
    if (!inner.is_object_) {
      return;
    }
    for (const dom::key_value_pair member : inner.object_) {
      if (inner.ok()) {
        read(member.key, inner);
      }
    }
  });
}

void JsonReader::EachInt(std::string_view name,
                         const std::function<void(std::int64_t)>& read) const {
  if (const auto array = Array(name)) {
    for (const dom::element element : *array) {
      std::int64_t value = 0;
      if (element.get(value) != simdjson::SUCCESS) {
        return Fail(name, "holds what is no whole number");
      }
      read(value);
    }
  }
}

void JsonReader::EachString(std::string_view name,
                            const std::function<void(std::string_view)>& read) const {
  if (const auto array = Array(name)) {
    for (const dom::element element : *array) {
      std::string_view value;
      if (element.get(value) != simdjson::SUCCESS) {
        return Fail(name, "holds what is no string");
      }
      read(value);
    }
  }
}

std::string JsonReader::Text(std::string_view name) const {
  const auto member = Member(name);
  return member ? simdjson::minify(*member) : std::string();
}

}  // namespace headrace::bench
