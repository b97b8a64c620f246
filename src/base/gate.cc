#include "base/gate.h"

#include <chrono>

#include "base/check.h"

namespace headrace {

bool Gate::TryEnter() {
  const std::uint64_t before = state_.fetch_add(1, std::memory_order_acquire);
  if ((before & kClosed) == 0) {
    return true;
  }
  Leave();
  return false;
}

void Gate::Leave() {
  const std::uint64_t before = state_.fetch_sub(1, std::memory_order_acq_rel);
  HEADRACE_CHECK((before & ~kClosed) != 0);
  if (before == (kClosed | 1)) {
    std::lock_guard lock(mutex_);
    empty_.notify_all();
  }
}

void Gate::Close() { state_.fetch_or(kClosed, std::memory_order_acq_rel); }

bool Gate::WaitUntilEmpty(Nanos timeout) {
  std::unique_lock lock(mutex_);
  return empty_.wait_for(lock, std::chrono::nanoseconds(timeout), [this] { return inside() == 0; });
}

}  // namespace headrace
