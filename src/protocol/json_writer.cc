#include "protocol/json_writer.h"

#include <array>
#include <charconv>
#include <cmath>

#include "protocol/utf8.h"

namespace headrace::protocol {
namespace {

// What a byte below 0x80 becomes inside a string: 0 = itself, 'u' = \u00XX, else the letter behind
// a backslash.
constexpr std::array<char, 128> kEscapes = [] {
  std::array<char, 128> table{};
  for (int i = 0; i < 0x20; ++i) {
    table[i] = 'u';
  }
  table[0x7f] = 'u';
  table['"'] = '"';
  table['\\'] = '\\';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  return table;
}();

void AppendEscape(std::string& out, char byte) {
  constexpr char kHex[] = "0123456789abcdef";
  const char letter = kEscapes[static_cast<unsigned char>(byte)];
  out.push_back('\\');
  out.push_back(letter);
  if (letter == 'u') {
    out.append("00");
    out.push_back(kHex[static_cast<unsigned char>(byte) >> 4]);
    out.push_back(kHex[byte & 0xf]);
  }
}

void AppendQuoted(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t plain = 0;  // start of the bytes that are copied as they are
  std::size_t i = 0;
  while (i < text.size()) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      if (kEscapes[byte] != 0) {
        out.append(text.substr(plain, i - plain));
        AppendEscape(out, text[i]);
        plain = i + 1;
      }
      ++i;
    } else if (const std::size_t length = Utf8SequenceLength(text.substr(i)); length != 0) {
      i += length;
    } else {
      out.append(text.substr(plain, i - plain));
      out.append("\xEF\xBF\xBD");
      plain = ++i;
    }
  }
  out.append(text.substr(plain));
  out.push_back('"');
}

template <typename T>
void AppendInteger(std::string& out, T value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out.append(digits, end);
}

template <typename T>
void AppendFloating(std::string& out, T value) {
  char digits[kNumberByteSizeMax];
  out.append(digits, WriteNumber(digits, value));
}

template <typename T>
char* WriteFloating(char* out, T value) {
  if (!std::isfinite(value)) {
    constexpr std::string_view kNull = "null";
    return out + kNull.copy(out, kNull.size());
  }
  char* end = std::to_chars(out, out + kNumberByteSizeMax, value).ptr;
  for (const char* p = out; p != end; ++p) {
    if (*p == '.' || *p == 'e') {
      return end;
    }
  }
  *end++ = '.';
  *end++ = '0';
  return end;
}

}  // namespace

char* WriteNumber(char* out, double value) { return WriteFloating(out, value); }
char* WriteNumber(char* out, float value) { return WriteFloating(out, value); }

void JsonWriter::Separate() {
  if (needs_comma_) {
    out_.push_back(',');
  }
  needs_comma_ = true;
}

JsonWriter& JsonWriter::BeginObject() {
  Separate();
  out_.push_back('{');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::EndObject() {
  out_.push_back('}');
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::BeginArray() {
  Separate();
  out_.push_back('[');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::EndArray() {
  out_.push_back(']');
  needs_comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  Separate();
  AppendQuoted(out_, key);
  out_.push_back(':');
  needs_comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view value) {
  Separate();
  AppendQuoted(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Int(std::int64_t value) {
  Separate();
  AppendInteger(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Uint(std::uint64_t value) {
  Separate();
  AppendInteger(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Double(double value) {
  Separate();
  AppendFloating(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Float(float value) {
  Separate();
  AppendFloating(out_, value);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) {
  Separate();
  out_.append(value ? "true" : "false");
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  out_.append(json);
  return *this;
}

std::string ErrorJson(std::string_view message) {
  std::string out;
  out.reserve(message.size() + 16);
  JsonWriter(out).BeginObject().Key("error").String(message).EndObject();
  return out;
}

}  // namespace headrace::protocol
