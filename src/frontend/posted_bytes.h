// How much of an answer is on its way to an event loop that does not keep up with its model.
#ifndef HEADRACE_FRONTEND_POSTED_BYTES_H_
#define HEADRACE_FRONTEND_POSTED_BYTES_H_

#include <atomic>
#include <cstdint>

namespace headrace::frontend {

// The bytes of responses that were posted to a loop and have not run there. Thread-safe.
class PostedBytes {
 public:
  // Before a post. False where it would make them more than `byte_size_max`: nothing is added, and
  // the response is not to be posted. One alone may have any size: its memory was granted already.
  bool Add(std::uint64_t byte_size, std::uint64_t byte_size_max) {
    const std::uint64_t before = byte_size_.fetch_add(byte_size, std::memory_order_relaxed);
    if (before != 0 && before + byte_size > byte_size_max) {
      Remove(byte_size);
      return false;
    }
    return true;
  }
  // On the loop.
  void Remove(std::uint64_t byte_size) {
    byte_size_.fetch_sub(byte_size, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> byte_size_{0};
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_POSTED_BYTES_H_
