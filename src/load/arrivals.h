// When requests are to be sent: pure, from a seed, the same on every machine.
#ifndef HEADRACE_LOAD_ARRIVALS_H_
#define HEADRACE_LOAD_ARRIVALS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace headrace::load {

struct ArrivalSpec {
  enum class Kind : std::uint8_t {
    kClosed,    // `concurrency` requests are out at all times
    kPoisson,   // open: exponential gaps
    kConstant,  // open: equal gaps
    kGamma,     // open: gaps of the shape `burstiness` (1 = Poisson; below it, bursts)
    kReplay,    // open: the gaps of `intervals`, from the start again at their end
    kSchedule,  // open: `intervals` are offsets from the start, once
  };
  Kind kind = Kind::kPoisson;
  int concurrency = 1;
  double rate = 0;  // requests per second, all senders together
  double burstiness = 1;
  // The rate over time, as factors of `rate` that are reached one after another, straight between
  // them: {{0 s, 0.5}, {10 s, 2}}. Empty = constant. Steps are two points of one time.
  struct RatePoint {
    Nanos at = 0;
    double factor = 1;
  };
  std::vector<RatePoint> profile;
  std::vector<Nanos> intervals;
  double time_scale = 1;  // kReplay, kSchedule: 2 = twice as slow
  std::uint64_t seed = 1;

  bool open() const { return kind != Kind::kClosed; }
};

// "poisson 500/s", "closed, 8 at a time", "replay of 1,200 gaps x 1.0": the words of every report.
std::string Describe(const ArrivalSpec& spec);

// The intended send times of an open loop. One thread.
class ArrivalSchedule {
 public:
  // Takes every `stride`-th arrival, from number `first` on: senders share a schedule without
  // sharing memory.
  ArrivalSchedule(const ArrivalSpec& spec, std::uint32_t first, std::uint32_t stride);
  ~ArrivalSchedule();

  // Offset from the start of the next arrival; kNever after the last one.
  Nanos Next();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Gaps from a file: one number of microseconds on a line (perf_analyzer's --request-intervals).
// INVALID_ARGUMENT names the line.
Result<std::vector<Nanos>> ReadIntervals(const std::string& path);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_ARRIVALS_H_
