#include "store/store_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "repository/layout.h"
#include "repository/repository_files.h"

namespace headrace::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kUrlByteSizeMax = 4096;
constexpr std::size_t kFileNameByteSizeMax = 255;

bool IsArchiveName(std::string_view name) {
  return name.ends_with(".mar") || name.ends_with(".model") || name.ends_with(".tar.gz");
}

bool HasControlBytes(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

StoreError NotFound(std::string_view url, std::string_view why = {}) {
  return {StoreFault::kModelNotFound,
          fmt::format("Model not found at: {}{}", EscapeForLog(url, kUrlByteSizeMax), why)};
}

}  // namespace

StoreDirectory::StoreDirectory(std::string directory) {
  if (!directory.empty()) {
    std::error_code error;
    path_ = fs::canonical(directory, error).string();
    if (error) {
      path_ = std::move(directory);  // what is asked of it fails, and says so
    }
  }
}

StoreError StoreDirectory::Find(std::string_view url, Found& found) const {
  if (path_.empty()) {
    return {StoreFault::kModelNotFound, "Model store has not been configured."};
  }
  if (url.find("..") != std::string_view::npos) {
    return {StoreFault::kModelNotFound, fmt::format("Relative path is not allowed in url: {}",
                                                    EscapeForLog(url, kUrlByteSizeMax))};
  }
  if (url.size() > kUrlByteSizeMax || HasControlBytes(url)) {
    return NotFound(url);
  }
  const fs::path given(url);
  fs::path wanted = (given.is_absolute() ? given : fs::path(path_) / given).lexically_normal();
  if (!wanted.has_filename()) {
    wanted = wanted.parent_path();  // a '/' at the end
  }
  if (wanted == fs::path(path_) || !repository::IsInside(path_, wanted.string())) {
    return NotFound(url, given.is_absolute() ? " (it does not lie in the model store)" : "");
  }
  std::error_code error;
  const fs::path canonical = fs::canonical(wanted, error);
  if (error) {
    return NotFound(url);
  }
  if (canonical != wanted) {
    return NotFound(url,
                    " (links are not followed: the archive itself must lie in the model "
                    "store)");
  }
  found.path = canonical.string();
  found.is_folder = fs::is_directory(canonical, error);
  if (!found.is_folder && !fs::is_regular_file(canonical, error)) {
    return NotFound(url, " (it is neither a file nor a folder)");
  }
  return {};
}

StoreError StoreDirectory::PlaceFor(std::string_view url, std::string& path) const {
  if (path_.empty()) {
    return {StoreFault::kModelNotFound, "Model store has not been configured."};
  }
  std::string_view name = url.substr(0, url.find_first_of("?#"));
  name.remove_prefix(std::min(name.find("://") + 3, name.size()));
  const std::size_t slash = name.rfind('/');
  name = slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
  if (name.empty() || name.front() == '.' || name.size() > kFileNameByteSizeMax ||
      name.find_first_of("\\%") != std::string_view::npos || HasControlBytes(name)) {
    return NotFound(url, " (its last part is no name of an archive)");
  }
  path = fmt::format("{}/{}", path_, name);
  return {};
}

Result<std::vector<std::string>> StoreDirectory::Archives() const {
  std::vector<std::string> names;
  if (path_.empty()) {
    return names;
  }
  std::error_code error;
  for (fs::directory_iterator it(path_, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.') || HasControlBytes(name) || it->is_symlink(ignored)) {
      continue;
    }
    if (it->is_directory(ignored) || (it->is_regular_file(ignored) && IsArchiveName(name))) {
      names.push_back(name);
    }
  }
  if (error) {
    return Internal("cannot list the model store '{}': {}", EscapeForLog(path_), error.message());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string NameOfArchive(std::string_view file) {
  file = file.substr(0, file.find_first_of("?#"));
  while (file.ends_with('/')) {
    file.remove_suffix(1);
  }
  file.remove_prefix(file.rfind('/') + 1);  // nothing, if there is none
  for (const std::string_view suffix : {".mar", ".model"}) {
    if (file.ends_with(suffix)) {
      file.remove_suffix(suffix.size());
      break;
    }
  }
  std::string name(file);
  for (char& c : name) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    c = word ? c : '_';
  }
  return name;
}

}  // namespace headrace::store
