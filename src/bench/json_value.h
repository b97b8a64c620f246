// A JSON document that can be changed.
#ifndef HEADRACE_BENCH_JSON_VALUE_H_
#define HEADRACE_BENCH_JSON_VALUE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace headrace::bench {

// A value type. Members of objects keep their order.
class JsonValue {
 public:
  using Array = std::vector<JsonValue>;
  using Object = std::vector<std::pair<std::string, JsonValue>>;

  JsonValue() = default;                                        // null
  JsonValue(bool value) : value_(value) {}                      // NOLINT: implicit on purpose
  JsonValue(int value) : value_(std::int64_t{value}) {}         // NOLINT
  JsonValue(std::int64_t value) : value_(value) {}              // NOLINT
  JsonValue(std::uint64_t value) : value_(value) {}             // NOLINT
  JsonValue(double value) : value_(value) {}                    // NOLINT
  JsonValue(std::string value) : value_(std::move(value)) {}    // NOLINT
  JsonValue(const char* value) : value_(std::string(value)) {}  // NOLINT
  JsonValue(Array value) : value_(std::move(value)) {}          // NOLINT
  JsonValue(Object value) : value_(std::move(value)) {}         // NOLINT

  // INVALID_ARGUMENT for what is no JSON.
  static Result<JsonValue> Parse(std::string_view text);
  std::string Text() const;

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }

  // The value as what it is asked for, or `otherwise` where it is something else. Integers also
  // from strings of digits, as protobuf's JSON writes those of 64 bits.
  std::int64_t AsInt(std::int64_t otherwise = 0) const;
  double AsDouble(double otherwise = 0) const;
  bool AsBool(bool otherwise = false) const;
  std::string_view AsString(std::string_view otherwise = {}) const;
  // The elements; empty where it is no array. Likewise the members.
  const Array& elements() const;
  const Object& members() const;

  // The member, or null where it is no object or has none of that name.
  const JsonValue* Find(std::string_view key) const;
  // The same, or a null value: `value.At("a").At("b").AsInt()`.
  const JsonValue& At(std::string_view key) const;
  // The member, made where there is none; what is no object becomes one.
  JsonValue& operator[](std::string_view key);
  void Erase(std::string_view key);
  void Append(JsonValue element);  // what is no array becomes one

  // RFC 7386: members of `patch` replace, null removes, objects are gone into.
  void MergePatch(const JsonValue& patch);

  bool operator==(const JsonValue&) const = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value_;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_JSON_VALUE_H_
