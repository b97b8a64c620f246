#include "bench/file_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/unique_fd.h"
#include "base/write_all.h"

namespace headrace::bench {
namespace {

Status Write(int fd, std::string_view text, std::string_view name) {
  return WriteAll(fd, text) ? OkStatus()
                            : Unavailable("{}: cannot be written: {}", name, std::strerror(errno));
}

}  // namespace

Status WriteFile(const std::string& path, std::string_view text) {
  if (path == "-") {
    return Write(STDOUT_FILENO, text, "the standard output");
  }
  struct stat found {};
  if (::stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)) {
    // A device or a pipe is written to; a file must not take its place.
    const UniqueFd target(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return target.valid() ? Write(target.get(), text, path)
                          : Unavailable("{}: cannot be written: {}", path, std::strerror(errno));
  }
  const std::string temporary = fmt::format("{}.{}.part", path, ::getpid());
  const UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) {
    return Unavailable("{}: cannot be written: {}", path, std::strerror(errno));
  }
  Status written = Write(file.get(), text, path);
  if (written.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = Unavailable("{}: cannot be written: {}", path, std::strerror(errno));
  }
  if (!written.ok()) {
    ::unlink(temporary.c_str());
  }
  return written;
}

Status CheckWritable(const std::string& path) {
  if (path == "-") {
    return OkStatus();
  }
  const bool existed = ::access(path.c_str(), F_OK) == 0;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644));
  // A pipe that nobody reads yet may be read when there is something to write.
  if (!file.valid() && errno != ENXIO) {
    return InvalidArgument("{} cannot be written: {}", path, std::strerror(errno));
  }
  if (!existed) {
    ::unlink(path.c_str());
  }
  return OkStatus();
}

}  // namespace headrace::bench
