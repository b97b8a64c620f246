#include "engine/expiry_thread.h"

#include <utility>

#include "base/thread.h"

namespace headrace::engine {

ExpiryThread::ExpiryThread(std::string name, const Clock& clock, Expire expire)
    : clock_(clock), expire_(std::move(expire)), thread_([this, name = std::move(name)] {
        SetThreadName(name);
        Run();
      }) {}

ExpiryThread::~ExpiryThread() {
  ending_.store(true, std::memory_order_relaxed);
  parker_.Unpark();
  thread_.join();
}

void ExpiryThread::LookBy(Nanos time) {
  if (Advance(time)) {
    parker_.Unpark();
  }
}

bool ExpiryThread::Advance(Nanos time) {
  Nanos next = next_.load(std::memory_order_relaxed);
  while (time < next) {
    if (next_.compare_exchange_weak(next, time, std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

void ExpiryThread::Run() {
  while (!ending_.load(std::memory_order_relaxed)) {
    const Nanos next = next_.load(std::memory_order_relaxed);
    const Nanos now = clock_.Now();
    if (next == kNever) {
      parker_.Park();
    } else if (now < next) {
      // `next` is on a clock that a test may have replaced; the kernel knows only the real one.
      parker_.Park(Clock::Real().Now() + (next - now));
    } else {
      // Forgotten first: whoever comes while `expire_` runs asks again.
      next_.store(kNever, std::memory_order_relaxed);
      Advance(expire_(now));
    }
  }
}

}  // namespace headrace::engine
