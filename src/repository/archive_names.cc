#include "repository/archive_names.h"

#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdint>

#include "base/log.h"
#include "repository/archive_limits.h"
#include "repository/override_rules.h"
#include "repository/repository_files.h"

namespace headrace::repository {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The next character of valid UTF-8.
char32_t NextCharacter(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  char32_t character = size == 1 ? first : first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    character = (character << 6) | (static_cast<unsigned char>(text[i]) & 0x3fu);
  }
  text.remove_prefix(size);
  return character;
}

bool IsCombining(char32_t c) {
  return (c >= 0x300 && c <= 0x36f) || (c >= 0x1ab0 && c <= 0x1aff) ||
         (c >= 0x1dc0 && c <= 0x1dff) || (c >= 0x20d0 && c <= 0x20ff) ||
         (c >= 0xfe20 && c <= 0xfe2f) || c == 0x3099 || c == 0x309a;
}

bool HasCombining(std::string_view text) {
  while (!text.empty()) {
    if (IsCombining(NextCharacter(text))) {
      return true;
    }
  }
  return false;
}

// Latin, Greek and Cyrillic, as their blocks arrange capitals; enough to tell names apart that a
// file system that ignores case would not.
char32_t Lower(char32_t c) {
  if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
      (c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f)) {
    return c + 0x20;
  }
  if (c >= 0x400 && c <= 0x40f) {
    return c + 0x50;
  }
  const bool pairs =
      (c >= 0x100 && c <= 0x17f) || (c >= 0x460 && c <= 0x52f) || (c >= 0x1e00 && c <= 0x1eff);
  const bool odd_first = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
  if (pairs && ((c & 1u) != 0) == odd_first) {
    return c + 1;
  }
  return c;
}

void AddFolded(std::string_view text, Fingerprint& fingerprint) {
  while (!text.empty()) {
    fingerprint.Add(std::uint64_t{Lower(NextCharacter(text))});
  }
  fingerprint.Add(std::uint64_t{'/'});
}

}  // namespace

std::string ShownEntry(std::string_view path) {
  return fmt::format("'{}'", EscapeForLog(path, 128));
}

Result<std::vector<std::string_view>> SplitArchivePath(std::string_view path) {
  const std::string shown = ShownEntry(path);
  if (path.size() > kArchivePathByteSizeMax) {
    return InvalidArgument("entry {}: a path has at most {} bytes", shown, kArchivePathByteSizeMax);
  }
  if (!simdjson::validate_utf8(path.data(), path.size())) {
    return InvalidArgument("entry {}: the path is not valid UTF-8", shown);
  }
  if (std::any_of(path.begin(), path.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\';
      })) {
    return InvalidArgument("entry {}: control characters and backslashes are not allowed", shown);
  }
  if (HasCombining(path)) {
    return InvalidArgument("entry {}: accents that are characters of their own are not allowed",
                           shown);
  }
  if (path.size() >= 2 && IsLetter(path[0]) && path[1] == ':') {
    return InvalidArgument("entry {}: the path begins with a drive letter", shown);
  }
  if (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  std::vector<std::string_view> parts;
  while (true) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") {
      return InvalidArgument("entry {}: the path must lie inside the archive", shown);
    }
    if (part.size() > kFileNameByteSizeMax || parts.size() == kArchivePathDepthMax) {
      return InvalidArgument("entry {}: a part of a path has at most {} bytes, a path {} parts",
                             shown, kFileNameByteSizeMax, kArchivePathDepthMax);
    }
    parts.push_back(part);
    if (part.size() == path.size()) {
      return parts;
    }
    path.remove_prefix(part.size() + 1);
  }
}

Status ArchiveNames::Add(const std::vector<std::string_view>& parts, bool directory) {
  Fingerprint path, folded;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    path.Add(parts[i]);
    AddFolded(parts[i], folded);
    const bool is_directory = directory || i + 1 < parts.size();
    const auto [known, added] =
        known_.try_emplace(folded.value(), Known{path.value(), is_directory});
    if (added) {
      continue;
    }
    if (known->second.path != path.value()) {
      return InvalidArgument("entry {}: '{}' could be taken for another one of the archive",
                             ShownEntry(fmt::format("{}", fmt::join(parts, "/"))), parts[i]);
    }
    if (!known->second.directory || !is_directory) {
      return InvalidArgument("entry {} comes twice",
                             ShownEntry(fmt::format("{}", fmt::join(parts, "/"))));
    }
  }
  return OkStatus();
}

}  // namespace headrace::repository
