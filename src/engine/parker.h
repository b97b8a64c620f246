// Puts one thread to sleep until another wakes it: one futex word, one system call on each side.
//
// Measured as two threads that wake each other by turns, CPU time a hop: 0.86 us, against 0.91 us
// with std::atomic's wait (which has no timed form) and 0.96 us with a condition variable.
#ifndef HEADRACE_ENGINE_PARKER_H_
#define HEADRACE_ENGINE_PARKER_H_

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace headrace::engine {

// One thread parks, any thread unparks; an Unpark before the Park is kept. What was written before
// Unpark is seen after Park.
class Parker {
 public:
  // Blocks until Unpark, or until CLOCK_MONOTONIC reaches `deadline` (kNever: no limit). True when
  // unparked.
  bool Park(Nanos deadline = kNever);
  void Unpark();

 private:
  std::atomic<std::uint32_t> token_{0};
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_PARKER_H_
