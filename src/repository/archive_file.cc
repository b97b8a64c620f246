#include "repository/archive_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace headrace::repository {

Result<ArchiveFile> ArchiveFile::Open(const std::string& path) {
  // Without O_NONBLOCK the open of a pipe would wait for its writer.
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) {
    return InvalidArgument("cannot open the archive: {}", std::strerror(errno));
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return InvalidArgument("the archive is not a regular file");
  }
  return ArchiveFile(std::move(fd), static_cast<std::uint64_t>(status.st_size));
}

Status ArchiveFile::Read(std::uint64_t offset, std::span<char> bytes) const {
  if (offset > byte_size_ || bytes.size() > byte_size_ - offset) {
    return InvalidArgument("the archive ends before its contents do");
  }
  while (!bytes.empty()) {
    const ssize_t count = pread(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return Internal("cannot read the archive: {}", std::strerror(errno));
    }
    if (count == 0) {
      return InvalidArgument("the archive was cut short while it was read");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return OkStatus();
}

}  // namespace headrace::repository
