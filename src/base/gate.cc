#include "base/gate.h"

#include <chrono>

#include "base/check.h"

namespace headrace {

bool Gate::TryEnter() {
  std::uint64_t before = state_.load(std::memory_order_relaxed);
  do {
    if ((before & kClosed) != 0) {
      return false;
    }
  } while (!state_.compare_exchange_weak(before, before + 1, std::memory_order_acquire,
                                         std::memory_order_relaxed));
  return true;
}

void Gate::Leave() {
  std::uint64_t before = state_.load(std::memory_order_relaxed);
  while ((before & kClosed) == 0) {
    HEADRACE_CHECK(before != 0);
    if (state_.compare_exchange_weak(before, before - 1, std::memory_order_release,
                                     std::memory_order_relaxed)) {
      return;
    }
  }
  // The drainer may destroy the gate as soon as it sees it empty. It looks under the mutex, so the
  // count must go down under it too: then nothing here touches the gate after the drainer went on.
  std::lock_guard lock(mutex_);
  before = state_.fetch_sub(1, std::memory_order_acq_rel);
  HEADRACE_CHECK((before & ~kClosed) != 0);
  if (before == (kClosed | 1)) {
    empty_.notify_all();
  }
}

void Gate::Close() { state_.fetch_or(kClosed, std::memory_order_acq_rel); }

bool Gate::WaitUntilEmpty(Nanos timeout) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, std::chrono::nanoseconds(timeout), [this] { return inside() == 0; });
}

}  // namespace headrace
