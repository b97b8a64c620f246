// Counts what is inside and lets whoever drains it wait until all have left.
#ifndef HEADRACE_BASE_GATE_H_
#define HEADRACE_BASE_GATE_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace headrace {

// `TryEnter` and `Leave` are one atomic operation each while the gate is open. Thread-safe.
//
//   if (!gate.TryEnter()) return Unavailable("...");   // closed
//   ... gate.Leave();                                  // exactly once per successful TryEnter
//   gate.Close(); gate.WaitUntilEmpty(30 * kSecond);   // the drainer
class Gate {
 public:
  // False once the gate is closed.
  bool TryEnter();
  // Enters once more on behalf of somebody who is inside, also while the gate is closed.
  void EnterBeside() { state_.fetch_add(1, std::memory_order_relaxed); }
  void Leave();
  // Stops new entries; idempotent; does not wait.
  void Close();
  bool closed() const { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }
  std::int64_t inside() const {
    return static_cast<std::int64_t>(state_.load(std::memory_order_acquire) & ~kClosed);
  }
  // Blocks until nothing is inside, or until `timeout` real nanoseconds have passed. True when
  // empty. Requires Close() before. Once it has returned true nobody who was inside touches the
  // gate any more.
  bool WaitUntilEmpty(Nanos timeout);

 private:
  static constexpr std::uint64_t kClosed = std::uint64_t{1} << 63;
  std::atomic<std::uint64_t> state_{0};  // kClosed | number inside
  std::mutex mutex_;  // guards leaving a closed gate and looking whether it is empty
  std::condition_variable empty_;
};

}  // namespace headrace

#endif  // HEADRACE_BASE_GATE_H_
