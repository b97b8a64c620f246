#include "openvino/model_cache.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <openvino/core/version.hpp>
#include <system_error>

namespace headrace::backend {
namespace {

// What the kernel says of the first processor that decides which code runs there.
std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string all;
  for (std::string line; std::getline(file, line) && !line.empty();) {
    if (line.starts_with("model name") || line.starts_with("flags") ||
        line.starts_with("Features")) {
      all += line;
    }
  }
  return all;
}

std::uint64_t HashText(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash;
}

}  // namespace

Error ModelCacheDirectory(const std::string& directory, std::string* path) {
  namespace fs = std::filesystem;
  if (!fs::path(directory).is_absolute()) {
    return InvalidArgument("parameter 'MODEL_CACHE_DIR' is '{}'; it takes an absolute path",
                           directory);
  }
  std::string version = ov::get_openvino_version().buildNumber;
  std::replace_if(
      version.begin(), version.end(), [](unsigned char c) { return !std::isalnum(c) && c != '.'; },
      '-');
  const fs::path place =
      fs::path(directory) / fmt::format("{}-{:016x}", version, HashText(Processor()));
  std::error_code error;
  fs::create_directories(place, error);
  if (error) {
    return InvalidArgument("parameter 'MODEL_CACHE_DIR': '{}' cannot be made: {}", place.string(),
                           error.message());
  }
  *path = place.string();
  return {};
}

}  // namespace headrace::backend
