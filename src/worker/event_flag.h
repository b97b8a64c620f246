// Wakes a thread that polls.
#ifndef HEADRACE_WORKER_EVENT_FLAG_H_
#define HEADRACE_WORKER_EVENT_FLAG_H_

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "base/unique_fd.h"

namespace headrace::worker {

// Thread-safe. Without a descriptor (none left) whoever polls looks now and then all the same.
class EventFlag {
 public:
  int fd() const { return fd_.get(); }
  void Set() const {
    const std::uint64_t one = 1;
    (void)!write(fd_.get(), &one, sizeof(one));
  }
  void Clear() const {
    std::uint64_t count = 0;
    (void)!read(fd_.get(), &count, sizeof(count));
  }

 private:
  const UniqueFd fd_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_EVENT_FLAG_H_
