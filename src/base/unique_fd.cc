#include "base/unique_fd.h"

#include <unistd.h>

#include <cerrno>

namespace headrace {

void UniqueFd::Reset(int fd) {
  const int old = std::exchange(fd_, fd);
  if (old >= 0) {
    const int saved_errno = errno;
    // Linux closes the descriptor even when close says EINTR, so there is nothing to repeat.
    ::close(old);
    errno = saved_errno;
  }
}

}  // namespace headrace
