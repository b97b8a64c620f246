#include "protocol/json_cursor.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "protocol/json_number.h"
#include "protocol/utf8.h"

namespace headrace::protocol {
namespace {

namespace ondemand = simdjson::ondemand;

static_assert(JsonCursor::kPadding >= simdjson::SIMDJSON_PADDING);

// Keys compared one by one; above that an object's keys are sorted at its end, so that no choice of
// keys costs more.
constexpr std::size_t kLinearKeysMax = 16;
// Parser memory for documents up to this size is kept between them.
constexpr std::size_t kKeptCapacityMax = std::size_t{1} << 20;

struct Frame {
  bool is_object = false;
  bool started = false;
  std::size_t first_key = 0;  // in keys_
  ondemand::object_iterator fields;
  ondemand::array_iterator elements;
};

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// The raw token of a value as the library cuts it: up to the next token, blanks included.
std::string_view WithoutTrailingBlanks(std::string_view token) {
  while (!token.empty() && IsBlank(token.back())) {
    token.remove_suffix(1);
  }
  return token;
}

// Where the library's first pass found something that no JSON text contains, for the message.
std::pair<std::string_view, std::size_t> ExplainFirstPass(simdjson::error_code error,
                                                          std::string_view json) {
  switch (error) {
    case simdjson::UTF8_ERROR:
      return {"Invalid UTF-8 encoding.", FindInvalidUtf8(json)};
    case simdjson::EMPTY:
      return {"The document is empty.", json.size()};
    default:
      break;
  }
  bool inside = false;
  std::size_t opened = 0;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] == '"') {
      inside = !inside;
      opened = i;
    } else if (inside && json[i] == '\\') {
      ++i;
    } else if (inside && static_cast<unsigned char>(json[i]) < 0x20) {
      return {"Control character in string.", i};
    }
  }
  return {"Missing a closing quotation mark in string.", inside ? opened : json.size()};
}

}  // namespace

class JsonCursor::Impl {
 public:
  ondemand::parser parser;
  ondemand::document document;
  ondemand::value value;
  std::string_view json;
  std::size_t depth_max = 0;
  std::vector<Frame> frames;
  std::vector<std::string_view> keys;  // of all open objects, outermost first

  // The current value's first byte.
  const char* place() { return value.raw_json_token().data(); }
  // The library takes the first byte behind an unclosed document for two more tokens; here that
  // byte is the client's raw tensor data, perhaps a comma. No value may come from there.
  bool InsideDocument() { return place() < json.data() + json.size(); }
  std::string_view token() { return WithoutTrailingBlanks(value.raw_json_token()); }

  // Where the library stands, after it has reported an error or before a token.
  const char* location() {
    const auto result = document.current_location();
    return result.error() ? json.data() + json.size() : std::move(result).value_unsafe();
  }

  // The end of a string that begins at `text`, or null if an escape comes before it. The first pass
  // has made sure that the string is closed.
  static const char* PlainEnd(const char* text, const char* end) {
    constexpr int kShort = 32;
    const char* p = text;
    for (int i = 0; i < kShort; ++i, ++p) {
      if (*p == '"') {
        return p;
      }
      if (*p == '\\') {
        return nullptr;
      }
    }
    const auto* quote = static_cast<const char*>(std::memchr(p, '"', end - p));
    if (quote == nullptr || std::memchr(p, '\\', quote - p) != nullptr) {
      return nullptr;
    }
    return quote;
  }
  const char* PlainEnd(const char* text) const { return PlainEnd(text, json.data() + json.size()); }

  bool HasEqualKeys(std::size_t first) {
    std::sort(keys.begin() + static_cast<std::ptrdiff_t>(first), keys.end());
    return std::adjacent_find(keys.begin() + static_cast<std::ptrdiff_t>(first), keys.end()) !=
           keys.end();
  }
};

Status JsonSyntaxError(std::string_view reason, std::size_t offset) {
  return InvalidArgument("failed to parse the request JSON buffer: {} at {}", reason, offset);
}

JsonCursor::JsonCursor() : impl_(std::make_unique<Impl>()) {}
JsonCursor::~JsonCursor() = default;

bool JsonCursor::Fail(Status status) {
  if (status_.ok()) {
    status_ = std::move(status);
  }
  return false;
}

bool JsonCursor::FailSyntax(std::string_view reason, const char* place) {
  const char* begin = impl_->json.data();
  const std::size_t offset =
      place < begin ? 0 : std::min<std::size_t>(place - begin, impl_->json.size());
  return Fail(JsonSyntaxError(reason, offset));
}

bool JsonCursor::FailType(std::string_view actual_and_wanted) {
  if (status_.ok()) {
    type_error_ = true;
    status_ = InvalidArgument("attempt to access JSON {}", actual_and_wanted);
  }
  return false;
}

bool JsonCursor::Open(std::string_view json, std::size_t depth_max) {
  status_ = OkStatus();
  type_error_ = false;
  impl_->json = json;
  impl_->depth_max = depth_max;
  impl_->frames.clear();
  impl_->keys.clear();
  if (json.empty()) {
    return Fail(JsonSyntaxError("The document is empty.", 0));
  }
  const auto error =
      impl_->parser.iterate(json.data(), json.size(), json.size() + kPadding).get(impl_->document);
  if (error == simdjson::MEMALLOC || error == simdjson::CAPACITY) {
    return Fail(ResourceExhausted("no memory to parse {} bytes of JSON", json.size()));
  }
  if (error) {
    const auto [reason, offset] = ExplainFirstPass(error, json);
    return Fail(JsonSyntaxError(reason, offset));
  }
  const char* root = impl_->location();
  ondemand::object object;
  Frame frame;
  if (const auto root_error = impl_->document.get_object().get(object); root_error) {
    return *root == '{' ? FailSyntax("Missing a closing brace, or text behind it.",
                                     json.data() + json.size())
                        : FailSyntax("The root must be an object.", root);
  }
  frame.is_object = true;
  if (object.begin().get(frame.fields)) {
    return FailSyntax("Invalid object.", root);
  }
  impl_->frames.push_back(frame);
  return true;
}

bool JsonCursor::Close() {
  if (!ok()) {
    return false;
  }
  const auto rest = impl_->document.current_location();
  if (rest.error() != simdjson::OUT_OF_BOUNDS) {
    return FailSyntax("The document root must not be followed by other values.", impl_->location());
  }
  return true;
}

bool JsonCursor::NextField(std::string_view& key) {
  if (!ok()) {
    return false;
  }
  Frame& frame = impl_->frames.back();
  if (frame.started) {
    ++frame.fields;
  }
  frame.started = true;
  std::vector<std::string_view>& keys = impl_->keys;
  const std::size_t count = keys.size() - frame.first_key;
  if (!(frame.fields != frame.fields)) {
    if (count > kLinearKeysMax && impl_->HasEqualKeys(frame.first_key)) {
      return FailSyntax("Equal keys in one object.", impl_->location());
    }
    keys.resize(frame.first_key);
    impl_->frames.pop_back();
    return false;
  }
  ondemand::field field;
  if ((*frame.fields).get(field)) {
    return FailSyntax("Missing a comma, a colon, a key or a closing brace in an object.",
                      impl_->location());
  }
  const char* text = field.key().raw();
  if (const char* end = impl_->PlainEnd(text)) {
    key = std::string_view(text, end - text);
  } else if (field.unescaped_key().get(key) || !simdjson::validate_utf8(key)) {
    return FailSyntax("Invalid escape in a key.", text);
  }
  if (count <= kLinearKeysMax) {
    for (std::size_t i = frame.first_key; i < keys.size(); ++i) {
      if (keys[i] == key) {
        return FailSyntax("Equal keys in one object.", text);
      }
    }
  } else if (count >= kMemberCountMax) {
    return FailSyntax("Too many members in an object.", text);
  }
  keys.push_back(key);
  impl_->value = field.value();
  return impl_->InsideDocument() || FailSyntax("Missing a value.", text);
}

bool JsonCursor::NextElement() {
  if (!ok()) {
    return false;
  }
  Frame& frame = impl_->frames.back();
  if (frame.started) {
    ++frame.elements;
  }
  frame.started = true;
  if (!(frame.elements != frame.elements)) {
    impl_->frames.pop_back();
    return false;
  }
  if ((*frame.elements).get(impl_->value)) {
    return FailSyntax("Missing a comma or ] after an array element.", impl_->location());
  }
  return impl_->InsideDocument() || FailSyntax("Missing a closing bracket.", impl_->place());
}

JsonType JsonCursor::Type() const {
  switch (*impl_->place()) {
    case '{':
      return JsonType::kObject;
    case '[':
      return JsonType::kArray;
    case '"':
      return JsonType::kString;
    case 't':
    case 'f':
      return JsonType::kBool;
    case 'n':
      return JsonType::kNull;
    default:
      return *impl_->place() == '-' || IsDigit(*impl_->place()) ? JsonType::kNumber
                                                                : JsonType::kInvalid;
  }
}

bool JsonCursor::EnterObject() {
  if (!ok()) {
    return false;
  }
  if (Type() != JsonType::kObject) {
    return Type() == JsonType::kInvalid ? Skip() : FailType("non-object as object");
  }
  if (nesting_left() == 0) {
    return FailSyntax("Nesting is too deep.", impl_->place());
  }
  const char* place = impl_->place();
  Frame frame;
  frame.is_object = true;
  frame.first_key = impl_->keys.size();
  ondemand::object object;
  if (impl_->value.get_object().get(object) || object.begin().get(frame.fields)) {
    return FailSyntax("Invalid object.", place);
  }
  impl_->frames.push_back(frame);
  return true;
}

bool JsonCursor::EnterArray() {
  if (!ok()) {
    return false;
  }
  if (Type() != JsonType::kArray) {
    return Type() == JsonType::kInvalid ? Skip() : FailType("non-array as array");
  }
  if (nesting_left() == 0) {
    return FailSyntax("Nesting is too deep.", impl_->place());
  }
  const char* place = impl_->place();
  Frame frame;
  ondemand::array array;
  if (impl_->value.get_array().get(array) || array.begin().get(frame.elements)) {
    return FailSyntax("Invalid array.", place);
  }
  impl_->frames.push_back(frame);
  return true;
}

bool JsonCursor::ReadString(std::string_view& value) {
  if (!ok()) {
    return false;
  }
  const char* place = impl_->place();
  if (*place != '"') {
    return Skip() && FailType("non-string as string");
  }
  if (const char* end = impl_->PlainEnd(place + 1)) {
    value = std::string_view(place + 1, end - place - 1);
    return true;  // the library passes over a value that was not asked for
  }
  if (impl_->value.get_string().get(value) || !simdjson::validate_utf8(value)) {
    return FailSyntax("Invalid escape in a string.", place);
  }
  return true;
}

bool JsonCursor::ReadBool(bool& value) {
  if (!ok()) {
    return false;
  }
  const std::string_view token = impl_->token();
  if (token != "true" && token != "false") {
    return Skip() && FailType("non-boolean as boolean");
  }
  value = token == "true";
  return true;
}

bool JsonCursor::ReadUint(std::uint64_t& value) {
  if (!ok()) {
    return false;
  }
  const std::string_view token = impl_->token();
  if (ParseNumber(token.data(), &value) != token.data() + token.size()) {
    return Skip() && FailType("non-unsigned-integer as unsigned-integer");
  }
  return true;
}

bool JsonCursor::ReadInt(std::int64_t& value) {
  if (!ok()) {
    return false;
  }
  const std::string_view token = impl_->token();
  if (ParseNumber(token.data(), &value) != token.data() + token.size()) {
    return Skip() && FailType("non-signed-integer as signed-integer");
  }
  return true;
}

bool JsonCursor::ReadDouble(double& value) {
  if (!ok()) {
    return false;
  }
  const std::string_view token = impl_->token();
  if (ParseNumber(token.data(), &value) != token.data() + token.size()) {
    return Skip() && FailType("non-number as number");
  }
  return true;
}

bool JsonCursor::IsInteger() const { return ScanNumber(impl_->place()).integer; }

std::size_t JsonCursor::nesting_left() const {
  const std::size_t depth = impl_->frames.size();
  return depth < impl_->depth_max ? impl_->depth_max - depth : 0;
}

bool JsonCursor::SkipScalar() {
  const std::string_view token = impl_->token();
  bool valid = false;
  switch (Type()) {
    case JsonType::kString: {
      std::string_view text;
      return ReadString(text);
    }
    case JsonType::kBool:
      valid = token == "true" || token == "false";
      break;
    case JsonType::kNull:
      valid = token == "null";
      break;
    case JsonType::kNumber:
      valid = ScanNumber(token.data()).end == token.data() + token.size();
      break;
    default:
      break;
  }
  return valid || FailSyntax("Invalid value.", token.data());
}

bool JsonCursor::Skip() {
  if (!ok()) {
    return false;
  }
  const std::size_t outside = impl_->frames.size();
  std::string_view key;
  bool has_value = true;
  while (true) {
    if (has_value) {
      const JsonType type = Type();
      const bool entered = type == JsonType::kObject  ? EnterObject()
                           : type == JsonType::kArray ? EnterArray()
                                                      : SkipScalar();
      if (!entered) {
        return false;
      }
    }
    if (impl_->frames.size() == outside) {
      return true;
    }
    has_value = impl_->frames.back().is_object ? NextField(key) : NextElement();
    if (!ok()) {
      return false;
    }
  }
}

bool JsonCursor::SkipUncheckedArray(std::string_view& text) {
  if (!ok()) {
    return false;
  }
  if (Type() != JsonType::kArray) {
    return Skip() && FailType("non-array as array");
  }
  const char* place = impl_->place();
  ondemand::array array;
  if (impl_->value.get_array().get(array) || array.raw_json().get(text)) {
    return FailSyntax("Missing a closing bracket.", place);
  }
  return true;
}

char* JsonCursor::Unescape(const char* text, char* out) {
  auto* target = reinterpret_cast<std::uint8_t*>(out);
  const ondemand::raw_json_string raw(reinterpret_cast<const std::uint8_t*>(text));
  std::string_view result;
  if (impl_->parser.unescape(raw, target).get(result) || !simdjson::validate_utf8(result)) {
    return nullptr;
  }
  return reinterpret_cast<char*>(target);
}

void JsonCursor::Trim() {
  if (impl_->parser.capacity() > kKeptCapacityMax) {
    impl_->parser = ondemand::parser();
  }
}

}  // namespace headrace::protocol
