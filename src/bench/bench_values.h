// Values of flags: durations, ranges, SLAs.
#ifndef HEADRACE_BENCH_BENCH_VALUES_H_
#define HEADRACE_BENCH_BENCH_VALUES_H_

#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/arrivals.h"

namespace headrace::bench {

// Each fails with INVALID_ARGUMENT that shows what would be right; whoever calls puts the flag's
// name in front.

// A finite number, whole or with a fraction.
Result<double> ParseNumber(std::string_view text);
// "10s", "500ms", "250us", "1.5m", "2h". A number without a unit has `unit`; kNever for
// "unlimited".
Result<Nanos> ParseDuration(std::string_view text, Nanos unit = kSecond);
// "5%" or "0.05": a part from 0 to 1.
Result<double> ParseShare(std::string_view text);

// perf_analyzer's "start:end:step"; a number alone is one level.
struct Range {
  double start = 1, end = 1, step = 1;
  bool has_end = false;
  bool unbounded() const { return has_end && end == 0; }  // until a limit is met
};
Result<Range> ParseRange(std::string_view text);

// "p99=100ms", or "100ms" for the p99.
struct Sla {
  double percentile = 99;
  Nanos limit = 0;
};
Result<Sla> ParseSla(std::string_view text);

// "0s:0.5,10s:2": the factor of the rate at each time.
Result<std::vector<load::ArrivalSpec::RatePoint>> ParseProfile(std::string_view text);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BENCH_VALUES_H_
