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
  static const RealClock clock;
  return clock;
}

}  // namespace headrace
