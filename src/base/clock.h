// Monotonic time that a test can replace.
#ifndef HEADRACE_BASE_CLOCK_H_
#define HEADRACE_BASE_CLOCK_H_

#include <atomic>
#include <cstdint>

namespace headrace {

// Nanoseconds of CLOCK_MONOTONIC. All durations and deadlines inside the server are in this unit
// and on this clock.
using Nanos = std::int64_t;

inline constexpr Nanos kMicrosecond = 1'000;
inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000'000'000;
inline constexpr Nanos kNever = INT64_MAX;

// Thread-safe. Whoever takes a `Clock&` borrows it for its own life.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos Now() const = 0;

  // The real clock; lives as long as the process.
  static const Clock& Real();
};

// A clock that moves only when it is told to.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Nanos start = 0) : now_(start) {}
  Nanos Now() const override { return now_.load(std::memory_order_relaxed); }
  void Advance(Nanos duration) { now_.fetch_add(duration, std::memory_order_relaxed); }
  void Set(Nanos now) { now_.store(now, std::memory_order_relaxed); }

 private:
  std::atomic<Nanos> now_;
};

}  // namespace headrace

#endif  // HEADRACE_BASE_CLOCK_H_
