#include "server/java_properties.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

namespace headrace::server {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

std::string_view WithoutLeadingBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) {
    text.remove_prefix(1);
  }
  return text;
}

bool EndsInOddBackslashes(std::string_view text) {
  std::size_t count = 0;
  while (count < text.size() && text[text.size() - 1 - count] == '\\') {
    ++count;
  }
  return count % 2 == 1;
}

// Hands out lines as they stand in the file, and joins those that go on.
class LogicalLines {
 public:
  explicit LogicalLines(std::string_view text) : rest_(text) {}

  // The next line that says something, still escaped; false at the end.
  bool Next(std::string& line) {
    while (!rest_.empty()) {
      const std::string_view first = WithoutLeadingBlanks(Physical());
      if (first.empty() || first.front() == '#' || first.front() == '!') {
        continue;
      }
      begun_at_ = number_;
      line.assign(first);
      while (EndsInOddBackslashes(line)) {
        line.pop_back();
        if (rest_.empty()) {
          break;
        }
        line.append(WithoutLeadingBlanks(Physical()));
      }
      return true;
    }
    return false;
  }
  // Where the last line began.
  std::size_t number() const { return begun_at_; }

 private:
  std::string_view Physical() {
    ++number_;
    const std::size_t end = rest_.find_first_of("\r\n");
    const std::string_view line = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      rest_ = {};
    } else {
      rest_.remove_prefix(rest_.compare(end, 2, "\r\n") == 0 ? end + 2 : end + 1);
    }
    return line;
  }

  std::string_view rest_;
  std::size_t number_ = 0;
  std::size_t begun_at_ = 0;
};

void AppendUtf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// The four digits at the beginning of `text`.
std::optional<std::uint32_t> HexUnit(std::string_view text) {
  if (text.size() < 4) {
    return std::nullopt;
  }
  std::uint32_t unit = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) {
      return std::nullopt;
    }
    unit = unit * 16 + static_cast<std::uint32_t>(digit);
  }
  return unit;
}

bool IsHighSurrogate(std::uint32_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool IsLowSurrogate(std::uint32_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

// Takes one \uXXXX, or two that are one character; `text` begins behind the first backslash and
// its 'u'.
bool TakeUnicode(std::string_view& text, std::string& out) {
  const std::optional<std::uint32_t> unit = HexUnit(text);
  if (!unit || *unit == 0 || IsLowSurrogate(*unit)) {
    return false;
  }
  text.remove_prefix(4);
  if (!IsHighSurrogate(*unit)) {
    AppendUtf8(out, *unit);
    return true;
  }
  const std::optional<std::uint32_t> low =
      text.starts_with("\\u") ? HexUnit(text.substr(2)) : std::nullopt;
  if (!low || !IsLowSurrogate(*low)) {
    return false;
  }
  text.remove_prefix(6);
  AppendUtf8(out, 0x10000 + ((*unit - 0xd800) << 10) + (*low - 0xdc00));
  return true;
}

bool Unescape(std::string_view text, std::string& out) {
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c != '\\' || text.empty()) {
      out += c;
      continue;
    }
    const char escaped = text.front();
    text.remove_prefix(1);
    switch (escaped) {
      case 't':
        out += '\t';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 'f':
        out += '\f';
        break;
      case 'u':
        if (!TakeUnicode(text, out)) {
          return false;
        }
        break;
      default:
        out += escaped;
    }
  }
  return true;
}

// Where the key ends: at the first '=', ':' or blank that is not escaped.
std::size_t KeyEnd(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size() && line[at] != '=' && line[at] != ':' && !IsBlank(line[at])) {
    at += line[at] == '\\' ? 2 : 1;
  }
  return std::min(at, line.size());
}

}  // namespace

Result<Properties> ParseProperties(std::string_view text) {
  if (text.size() > kPropertiesByteSizeMax) {
    return InvalidArgument("it has {} bytes, at most {} are read", text.size(),
                           kPropertiesByteSizeMax);
  }
  Properties properties;
  LogicalLines lines(text);
  for (std::string line; lines.Next(line);) {
    if (line.find('\0') != std::string::npos) {
      return InvalidArgument("line {}: it holds a NUL byte, so this is no text", lines.number());
    }
    const std::string_view all = line;
    const std::size_t end = KeyEnd(all);
    std::string_view rest = WithoutLeadingBlanks(all.substr(end));
    if (!rest.empty() && (rest.front() == '=' || rest.front() == ':')) {
      rest = WithoutLeadingBlanks(rest.substr(1));
    }
    std::string key, value;
    if (!Unescape(all.substr(0, end), key) || !Unescape(rest, value)) {
      return InvalidArgument("line {}: \\u takes four hexadecimal digits of a character",
                             lines.number());
    }
    properties.insert_or_assign(std::move(key), std::move(value));
    if (properties.size() > kPropertiesCountMax) {
      return InvalidArgument("line {}: more than {} keys", lines.number(), kPropertiesCountMax);
    }
  }
  return properties;
}

Result<std::string> ExpandVariables(std::string_view value, const Environment& environment) {
  std::string expanded;
  while (true) {
    const std::size_t begin = value.find("$$");
    const std::size_t end = begin == std::string_view::npos ? begin : value.find("$$", begin + 2);
    if (end == std::string_view::npos || end == begin + 2) {
      expanded.append(value);
      return expanded;
    }
    const std::string name(value.substr(begin + 2, end - begin - 2));
    const char* found = environment(name.c_str());
    if (found == nullptr) {
      return InvalidArgument("$${}$$ stands for an environment variable that is not set", name);
    }
    expanded.append(value.substr(0, begin)).append(found);
    value.remove_prefix(end + 2);
  }
}

Result<Properties> ReadPropertiesFile(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    return NotFound("{}: {}", path, std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument("{}: it is no file", path);
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(
      std::min<std::size_t>(static_cast<std::size_t>(info.st_size) + 1, kPropertiesByteSizeMax + 1),
      '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || !file.is_open()) {
    return InvalidArgument("{}: it cannot be read", path);
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  auto properties = ParseProperties(text);
  if (!properties.ok()) {
    return properties.status().WithPrefix(path + ": ");
  }
  return properties;
}

}  // namespace headrace::server
