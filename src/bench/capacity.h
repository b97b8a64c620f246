// The highest rate at which a target meets an SLA.
#ifndef HEADRACE_BENCH_CAPACITY_H_
#define HEADRACE_BENCH_CAPACITY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/level.h"
#include "bench/session.h"

namespace headrace::bench {

struct CapacitySpec {
  Nanos sla = 100 * kMillisecond;
  double percentile = 99;
  double failure_share_max = 0.001;
  double rate_start = 0;  // requests per second of the first probe; 0 = from a short closed probe
  double rate_min = 0.1;  // below it the answer is "cannot be met"
  double rate_max = 1e6;
  double precision =
      0.03;  // the bracket's width, as a part of the rate, at which it is narrow enough
  int probe_count_max = 24;
  // Of each probe: arrivals except the rate, warm-up, drain, and how long one lasts at most. The
  // sequential test ends most of them earlier.
  LevelSpec level;
  // How long the rate that was found is measured again at the end; 0 = not.
  Nanos confirm_duration = 10 * kSecond;
};

enum class ProbeVerdict : std::uint8_t { kMet, kMissed };

struct CapacityProbe {
  double rate = 0;  // intended, requests per second
  ProbeVerdict verdict = ProbeVerdict::kMissed;
  bool certain = false;  // the sequential test decided it; else the measured percentile did
  std::string reason;  // "p99 84 ms (81 to 90) within 100 ms", "answers fall behind arrivals", ...
  LevelResult level;
};

struct CapacityResult {
  // The highest rate that met the SLA; 0 = none did. Requests per second.
  double rate = 0;
  // The lowest rate that missed it; nothing = none did up to rate_max, or up to where the client
  // was the limit (`reason` says which).
  std::optional<double> rate_missed;
  double throughput = 0;                 // inferences per second at `rate`
  std::vector<CapacityProbe> probes;     // in the order of their runs
  std::optional<LevelResult> confirmed;  // at `rate`, after the search
  bool confirmed_met = false;
  bool interrupted = false;
  std::string reason;  // one sentence: what binds, and how sure it is
};

// Geometric bracket from `rate_start`, then bisection in the logarithm of the rate. `on_probe` is
// told each probe when it has ended. A status only when nothing could be measured.
Result<CapacityResult> FindCapacity(
    Session& session, const CapacitySpec& spec,
    const std::function<void(const CapacityProbe&)>& on_probe = nullptr);

// How many requests per second a closed loop of `concurrency` gets: an upper bound of the capacity.
Result<LevelResult> ClosedProbe(Session& session, int concurrency, const LevelSpec& level);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_CAPACITY_H_
