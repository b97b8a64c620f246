#include "bench/text_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace headrace::bench {

Status WriteTextFile(const std::string& path, std::string_view text) {
  const auto failed = [&] {
    return Unavailable("'{}' cannot be written: {}", path, std::strerror(errno));
  };
  if (path == "-") {
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    return written && std::fflush(stdout) == 0 ? OkStatus() : failed();
  }
  const std::string temporary = fmt::format("{}.{}.part", path, ::getpid());
  std::FILE* file = std::fopen(temporary.c_str(), "we");
  if (file == nullptr) {
    return failed();
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written || std::rename(temporary.c_str(), path.c_str()) != 0) {
    const Status status = failed();
    std::remove(temporary.c_str());
    return status;
  }
  return OkStatus();
}

}  // namespace headrace::bench
