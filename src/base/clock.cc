#include "base/clock.h"

#include <ctime>

namespace headrace {
namespace {

class RealClock final : public Clock {
 public:
  Nanos Now() const override {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
  }
};

}  // namespace

const Clock& Clock::Real() {
  // Never destroyed: threads that outlive main may still ask for the time.
  static const RealClock* const clock = new RealClock;
  return *clock;
}

}  // namespace headrace
