// When a target is warm: its median response time has stopped moving.
#ifndef HEADRACE_BENCH_WARMUP_H_
#define HEADRACE_BENCH_WARMUP_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "bench/level.h"
#include "load/record.h"

namespace headrace::bench {

// Pure over records. A bin is at least 200 ms and 10 answers long; warm-up ends when the line
// through the medians of the last five bins moves by less than 10 % (or 20 us) over them.
class WarmupRule {
 public:
  WarmupRule(const LevelSpec& spec, Nanos start);

  void Take(std::span<const load::RequestRecord> records);
  // With a request count: once that many have ended. Else flat, or `warmup_max` over.
  bool IsOver(Nanos now) const;
  bool is_flat() const;

 private:
  static constexpr Nanos kBinMin = 200 * kMillisecond;
  static constexpr std::size_t kBinCountMin = 10;
  static constexpr std::size_t kBinsOfLine = 5;

  const Nanos max_;
  const std::uint64_t request_count_;
  const Nanos start_;
  std::uint64_t ended_count_ = 0;
  Nanos bin_start_;
  std::vector<double> bin_;      // response times of the open bin
  std::vector<double> medians_;  // of the closed ones
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_WARMUP_H_
