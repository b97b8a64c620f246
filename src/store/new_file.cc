#include "store/new_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/write_all.h"

namespace headrace::store {
namespace {

constexpr int kNameAttemptMax = 8;

Status FromErrno(int error, const std::string& what) {
  if (error == EEXIST) {
    return Status(StatusCode::kAlreadyExists, what + " exists already");
  }
  const StatusCode code =
      error == ENOSPC || error == EDQUOT ? StatusCode::kResourceExhausted : StatusCode::kInternal;
  return Status(code, fmt::format("{}: {}", what, std::strerror(error)));
}

std::string TemporaryName(const std::string& path) {
  const std::size_t name = path.rfind('/') + 1;  // 0 without a slash
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof(number), 0) != sizeof(number)) {
    number = static_cast<std::uint64_t>(getpid());
  }
  return fmt::format("{}.{}.{:016x}.part", path.substr(0, name), path.substr(name, 100), number);
}

}  // namespace

NewFile::NewFile(std::string path) : path_(std::move(path)) {}

NewFile::NewFile(NewFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)),
      byte_size_(other.byte_size_) {}

NewFile::~NewFile() {
  if (!temporary_.empty()) {
    unlink(temporary_.c_str());
  }
}

Result<NewFile> NewFile::Make(std::string path) {
  if (access(path.c_str(), F_OK) == 0) {
    return FromErrno(EEXIST, path);
  }
  return NewFile(std::move(path));
}

Status NewFile::Open() {
  int error = EEXIST;
  for (int attempt = 0; attempt < kNameAttemptMax && error == EEXIST; ++attempt) {
    std::string temporary = TemporaryName(path_);
    fd_.Reset(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                   S_IRUSR | S_IWUSR));
    if (fd_) {
      temporary_ = std::move(temporary);
      return OkStatus();
    }
    error = errno;
  }
  return FromErrno(error == EEXIST ? EIO : error, path_);
}

Status NewFile::Append(const char* data, std::size_t byte_size) {
  if (!fd_) {
    HEADRACE_RETURN_IF_ERROR(Open());
  }
  if (!WriteAll(fd_.get(), {data, byte_size})) {
    return FromErrno(errno, path_);
  }
  byte_size_ += byte_size;
  return OkStatus();
}

Status NewFile::Publish() {
  if (!fd_) {
    HEADRACE_RETURN_IF_ERROR(Open());
  }
  // What a full disk or a network file system refuses only now must not go unnoticed.
  if (fsync(fd_.get()) != 0 && errno != EINVAL) {
    return FromErrno(errno, path_);
  }
  if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0) {
    temporary_.clear();
    return OkStatus();
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return FromErrno(errno, path_);
  }
  // File systems without that flag have links. The other name goes with this object.
  return link(temporary_.c_str(), path_.c_str()) == 0 ? OkStatus() : FromErrno(errno, path_);
}

}  // namespace headrace::store
