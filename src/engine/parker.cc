#include "engine/parker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace headrace::engine {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

// False when `deadline` has passed.
bool FutexWait(std::atomic<std::uint32_t>& word, Nanos deadline) {
  timespec until{.tv_sec = deadline / kSecond, .tv_nsec = deadline % kSecond};
  // The bitset form takes an absolute time on CLOCK_MONOTONIC: a retry after a spurious wake-up
  // cannot stretch it.
  const long result =
      syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, deadline == kNever ? nullptr : &until,
              nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == 0 || errno != ETIMEDOUT;
}

}  // namespace

bool Parker::Park(Nanos deadline) {
  while (token_.exchange(0, std::memory_order_acquire) == 0) {
    if (!FutexWait(token_, deadline)) {
      return token_.exchange(0, std::memory_order_acquire) != 0;
    }
  }
  return true;
}

void Parker::Unpark() {
  token_.store(1, std::memory_order_release);
  // The parked thread may be gone by now: a wake-up on its old address does nothing.
  syscall(SYS_futex, &token_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace headrace::engine
