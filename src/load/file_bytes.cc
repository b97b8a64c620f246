#include "load/file_bytes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/ascii.h"
#include "base/unique_fd.h"

namespace headrace::load {
namespace {

constexpr std::size_t kFileCountMax = 100'000;
constexpr std::size_t kReadByteSize = 1 << 20;

constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kContentTypes = {{
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"png", "image/png"},
    {"webp", "image/webp"},
    {"gif", "image/gif"},
    {"bmp", "image/bmp"},
    {"json", "application/json"},
    {"txt", "text/plain"},
    {"csv", "text/csv"},
    {"html", "text/html"},
    {"xml", "application/xml"},
    {"wav", "audio/wav"},
    {"mp3", "audio/mpeg"},
    {"flac", "audio/flac"},
    {"mp4", "video/mp4"},
    {"pdf", "application/pdf"},
    {"yaml", "application/yaml"},
}};

}  // namespace

PathKind KindOf(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) {
    return PathKind::kMissing;
  }
  return S_ISREG(facts.st_mode)   ? PathKind::kFile
         : S_ISDIR(facts.st_mode) ? PathKind::kDirectory
                                  : PathKind::kOther;
}

Result<std::string> ReadFileBytes(const std::string& path, std::size_t byte_size_max) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return NotFound("{}: {}", path, std::strerror(errno));
  }
  struct stat facts {};
  if (fstat(fd.get(), &facts) == 0 && S_ISDIR(facts.st_mode)) {
    return InvalidArgument("{} is a directory, and a file is wanted", path);
  }
  std::string bytes;
  if (facts.st_size > 0 && static_cast<std::uint64_t>(facts.st_size) <= byte_size_max) {
    bytes.reserve(static_cast<std::size_t>(facts.st_size) + 1);
  }
  for (;;) {
    const std::size_t size = bytes.size();
    bytes.resize(size + kReadByteSize);
    const ssize_t count = read(fd.get(), bytes.data() + size, kReadByteSize);
    bytes.resize(size + static_cast<std::size_t>(std::max<ssize_t>(0, count)));
    if (count < 0 && errno != EINTR) {
      return NotFound("{}: {}", path, std::strerror(errno));
    }
    if (bytes.size() > byte_size_max) {
      return ResourceExhausted("{} is larger than {} bytes", path, byte_size_max);
    }
    if (count == 0) {
      return bytes;
    }
  }
}

Result<std::vector<std::string>> ListFiles(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), &closedir);
  if (entries == nullptr) {
    return NotFound("{}: {}", directory, std::strerror(errno));
  }
  std::vector<std::string> names;
  while (const dirent* entry = readdir(entries.get())) {
    if (entry->d_name[0] == '.' ||
        KindOf(fmt::format("{}/{}", directory, entry->d_name)) != PathKind::kFile) {
      continue;
    }
    if (names.size() == kFileCountMax) {
      return ResourceExhausted("{} has more than {} files", directory, kFileCountMax);
    }
    names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string ExtensionOf(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot == 0 ? "" : LowerCase(name.substr(dot + 1));
}

bool IsImageExtension(std::string_view extension) {
  return extension == "jpg" || extension == "jpeg" || extension == "png" || extension == "webp";
}

std::string_view ContentTypeOf(std::string_view extension) {
  const auto* const found =
      std::find_if(kContentTypes.begin(), kContentTypes.end(),
                   [&](const auto& entry) { return entry.first == extension; });
  return found == kContentTypes.end() ? "application/octet-stream" : found->second;
}

}  // namespace headrace::load
