#include "repository/archive_unpack.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>

#include "base/unique_fd.h"

namespace headrace::repository {

Status UnpackArchive(const std::string& path, const std::string& directory,
                     const ArchiveLimits& limits) {
  HEADRACE_ASSIGN_OR_RETURN(const ArchiveFile file, ArchiveFile::Open(path));
  std::array<char, 4> magic{};
  if (file.byte_size() < magic.size()) {
    return InvalidArgument("the file is no archive: it has only {} bytes", file.byte_size());
  }
  HEADRACE_RETURN_IF_ERROR(file.Read(0, magic));
  const UniqueFd into(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!into.valid()) {
    return Internal("cannot unpack the archive: {}", std::strerror(errno));
  }
  ArchiveTarget target(into.get(), file.byte_size(), limits);
  const std::string_view begin(magic.data(), magic.size());
  if (begin.starts_with("PK")) {
    return UnpackZip(file, limits, target);
  }
  if (begin.starts_with("\x1f\x8b")) {
    return UnpackTar(file, target);
  }
  return InvalidArgument("the file is neither a zip nor a gzipped tar archive");
}

}  // namespace headrace::repository
