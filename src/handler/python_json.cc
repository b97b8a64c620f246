#include "handler/python_json.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <utility>

namespace headrace::handler {
namespace {

// Python writes 1e16 and 1e-05 with an exponent, and what lies between without.
constexpr int kExponentMax = 16, kExponentMin = -4;
constexpr int kIndent = 2;

void AppendEscaped(std::uint32_t code_point, std::string& out) {
  if (code_point >= 0x10000) {
    const std::uint32_t rest = code_point - 0x10000;
    fmt::format_to(std::back_inserter(out), "\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10),
                   0xdc00 + (rest & 0x3ff));
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", code_point);
  }
}

// The code point that begins at `i`, which moves behind it.
std::uint32_t NextCodePoint(std::string_view text, std::size_t& i) {
  const auto lead = static_cast<unsigned char>(text[i++]);
  const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
  std::uint32_t code_point = more == 0 ? lead : lead & (0x3fu >> more);
  for (int k = 0; k < more && i < text.size(); ++k) {
    code_point = code_point << 6 | (static_cast<unsigned char>(text[i++]) & 0x3fu);
  }
  return code_point;
}

}  // namespace

void AppendPythonFloat(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    return;
  }
  std::array<char, 40> text;
  const char* const begin = text.data();
  const char* end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific)
          .ptr;
  const std::string_view scientific(begin, static_cast<std::size_t>(end - begin));
  const std::size_t e = scientific.find('e');
  int exponent = 0;
  const std::string_view digits = scientific.substr(e + 1);
  std::from_chars(digits.data() + (digits.front() == '+' ? 1 : 0), digits.data() + digits.size(),
                  exponent);
  if (exponent < kExponentMin || exponent >= kExponentMax) {
    out += scientific;  // two digits of exponent at least, both here and in Python
    return;
  }
  end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed).ptr;
  const std::string_view fixed(begin, static_cast<std::size_t>(end - begin));
  out += fixed;
  if (fixed.find('.') == std::string_view::npos) {
    out += ".0";
  }
}

void AppendPythonString(std::string_view text, std::string& out) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::uint32_t code_point = NextCodePoint(text, i);
    switch (code_point) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (code_point >= 0x20 && code_point < 0x80) {
          out += static_cast<char>(code_point);
        } else {
          AppendEscaped(code_point, out);
        }
    }
  }
  out += '"';
}

void PythonJsonWriter::Separate() {
  if (std::exchange(after_key_, false)) {
    return;
  }
  if (depth_ > 0) {
    out_ += empty_ ? "\n" : ",\n";
    out_.append(static_cast<std::size_t>(depth_ * kIndent), ' ');
  }
  empty_ = false;
}

void PythonJsonWriter::Begin(char bracket) {
  Separate();
  out_ += bracket;
  ++depth_;
  empty_ = true;
}

void PythonJsonWriter::End(char bracket) {
  --depth_;
  if (!empty_) {
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth_ * kIndent), ' ');
  }
  out_ += bracket;
  empty_ = false;
}

void PythonJsonWriter::Key(std::string_view key) {
  Separate();
  AppendPythonString(key, out_);
  out_ += ": ";
  after_key_ = true;
}

void PythonJsonWriter::Float(double value) {
  Separate();
  AppendPythonFloat(value, out_);
}

}  // namespace headrace::handler
