#include "load/json_document.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "load/file_bytes.h"

namespace headrace::load {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Walks a text by JSON's grammar with a stack of its own.
class FaultFinder {
 public:
  explicit FaultFinder(std::string_view text) : text_(text) {}

  std::optional<JsonFault> Find() {
    if (!Value()) {
      return fault_;
    }
    while (!open_.empty()) {
      if (!Next()) {
        return fault_;
      }
    }
    Blanks();
    if (at_ != text_.size()) {
      Fail("something follows the document");
    }
    return fault_;
  }

 private:
  bool Fail(std::string_view reason) {
    if (!fault_) {
      fault_ = JsonFault{at_, reason};
    }
    return false;
  }
  void Blanks() {
    while (at_ < text_.size() && IsBlank(text_[at_])) {
      ++at_;
    }
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) {
      return false;
    }
    at_ += word.size();
    return true;
  }

  // Behind a value that is inside of something: a comma with what follows it, or the end.
  bool Next() {
    Blanks();
    const char close = open_.back() == '{' ? '}' : ']';
    if (Peek() == close) {
      ++at_;
      open_.pop_back();
      return true;
    }
    if (!Take(",")) {
      return Fail(at_ == text_.size() ? "the text ends inside of an array or object"
                  : close == '}'      ? "',' or '}' is missing"
                                      : "',' or ']' is missing");
    }
    return close == '}' ? Key() && Value() : Value();
  }
  bool Key() {
    Blanks();
    if (Peek() != '"') {
      return Fail("a key in quotes is missing");
    }
    if (!String()) {
      return false;
    }
    Blanks();
    return Take(":") || Fail("':' is missing behind a key");
  }
  bool Value() {
    Blanks();
    const char c = Peek();
    if (c == '{' || c == '[') {
      ++at_;
      Blanks();
      if (Peek() == (c == '{' ? '}' : ']')) {
        ++at_;
        return true;
      }
      open_.push_back(c);
      return c == '{' ? Key() && Value() : Value();
    }
    if (c == '"') {
      return String();
    }
    if (c == '-' || IsDigit(c)) {
      return Number();
    }
    return Take("true") || Take("false") || Take("null") ||
           Fail(at_ == text_.size() ? "a value is missing" : "this is no JSON value");
  }
  bool String() {
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        return Fail("a control byte stands in a string (or its closing quote is missing)");
      }
      if (c == '\\') {
        ++at_;
        if (std::string_view("\"\\/bfnrtu").find(Peek()) == std::string_view::npos) {
          return Fail("this is no escape");
        }
      }
    }
    return Fail("a string has no closing quote");
  }
  bool Digits() {
    if (!IsDigit(Peek())) {
      return Fail("a digit is missing");
    }
    while (IsDigit(Peek())) {
      ++at_;
    }
    return true;
  }
  bool Number() {
    at_ += Peek() == '-' ? 1 : 0;
    if (Peek() == '0') {
      ++at_;
      if (IsDigit(Peek())) {
        return Fail("a number begins with 0");
      }
    } else if (!Digits()) {
      return false;
    }
    if (Peek() == '.') {
      ++at_;
      if (!Digits()) {
        return false;
      }
    }
    if (Peek() == 'e' || Peek() == 'E') {
      ++at_;
      at_ += Peek() == '+' || Peek() == '-' ? 1 : 0;
      return Digits();
    }
    return true;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::vector<char> open_;
  std::optional<JsonFault> fault_;
};

}  // namespace

std::optional<JsonFault> FindJsonFault(std::string_view text) { return FaultFinder(text).Find(); }

std::string LineAndColumn(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t break_at = before.rfind('\n');
  const std::size_t column = break_at == std::string_view::npos ? offset + 1 : offset - break_at;
  return fmt::format("{}:{}", line, column);
}

Result<JsonDocument> JsonDocument::Parse(std::string_view text, std::string_view what) {
  JsonDocument document;
  document.parser_ = std::make_unique<simdjson::dom::parser>();
  const auto error = document.parser_->parse(text.data(), text.size()).get(document.root_);
  if (error == simdjson::SUCCESS) {
    return document;
  }
  if (const auto fault = FindJsonFault(text)) {
    return InvalidArgument("{}:{}: not JSON: {}", what, LineAndColumn(text, fault->offset),
                           fault->reason);
  }
  return InvalidArgument("{}: not JSON: {}", what, simdjson::error_message(error));
}

Result<JsonDocument> JsonDocument::ReadFile(const std::string& path) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string text, ReadFileBytes(path, kJsonFileByteSizeMax));
  return Parse(text, path);
}

std::optional<JsonElement> Member(JsonElement object, std::string_view name) {
  JsonObject members;
  JsonElement value;
  if (object.get(members) != simdjson::SUCCESS ||
      members.at_key(name).get(value) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return value;
}

namespace {

template <typename T>
T MemberOr(JsonElement object, std::string_view name, T otherwise) {
  const auto member = Member(object, name);
  T value{};
  return member && member->get(value) == simdjson::SUCCESS ? value : otherwise;
}

}  // namespace

std::string_view StringMember(JsonElement object, std::string_view name) {
  return MemberOr<std::string_view>(object, name, "");
}
std::uint64_t UintMember(JsonElement object, std::string_view name, std::uint64_t otherwise) {
  return MemberOr(object, name, otherwise);
}
std::int64_t IntMember(JsonElement object, std::string_view name, std::int64_t otherwise) {
  return MemberOr(object, name, otherwise);
}
bool BoolMember(JsonElement object, std::string_view name, bool otherwise) {
  return MemberOr(object, name, otherwise);
}

std::optional<JsonArray> ArrayMember(JsonElement object, std::string_view name) {
  const auto member = Member(object, name);
  JsonArray array;
  if (!member || member->get(array) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return array;
}

std::string_view JsonTypeName(JsonElement element) {
  switch (element.type()) {
    case simdjson::dom::element_type::ARRAY:
      return "an array";
    case simdjson::dom::element_type::OBJECT:
      return "an object";
    case simdjson::dom::element_type::STRING:
      return "a string";
    case simdjson::dom::element_type::BOOL:
      return "true or false";
    case simdjson::dom::element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

}  // namespace headrace::load
