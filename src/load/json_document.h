// JSON that was read whole: files of inputs, answers of servers. The .cc files of this folder only.
#ifndef HEADRACE_LOAD_JSON_DOCUMENT_H_
#define HEADRACE_LOAD_JSON_DOCUMENT_H_

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::load {

using JsonElement = simdjson::dom::element;
using JsonObject = simdjson::dom::object;
using JsonArray = simdjson::dom::array;

inline constexpr std::size_t kJsonFileByteSizeMax = std::size_t{2} << 30;

// Move-only; elements live as long as it. Nesting is limited (1,024), nothing recurses.
class JsonDocument {
 public:
  // INVALID_ARGUMENT "<what>:LINE:COLUMN: why" for what is no JSON.
  static Result<JsonDocument> Parse(std::string_view text, std::string_view what);
  // NOT_FOUND, or RESOURCE_EXHAUSTED above kJsonFileByteSizeMax.
  static Result<JsonDocument> ReadFile(const std::string& path);

  JsonElement root() const { return root_; }

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
  JsonElement root_;
};

// Where a text stops being JSON.
struct JsonFault {
  std::size_t offset = 0;
  std::string_view reason;
};
// Nothing where all is well by the grammar. Linear, without recursion. UTF-8 is not looked at.
std::optional<JsonFault> FindJsonFault(std::string_view text);

// "3:17", from 1.
std::string LineAndColumn(std::string_view text, std::size_t offset);

// Members of an object, for readers that pass over what they do not know: the value where the
// member is there and of that type, else the default.
std::string_view StringMember(JsonElement object, std::string_view name);
std::uint64_t UintMember(JsonElement object, std::string_view name, std::uint64_t otherwise = 0);
std::int64_t IntMember(JsonElement object, std::string_view name, std::int64_t otherwise = 0);
bool BoolMember(JsonElement object, std::string_view name, bool otherwise = false);
std::optional<JsonElement> Member(JsonElement object, std::string_view name);
// Its elements, where it is an array.
std::optional<JsonArray> ArrayMember(JsonElement object, std::string_view name);

// "an object", "a string", ...: for messages.
std::string_view JsonTypeName(JsonElement element);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_JSON_DOCUMENT_H_
