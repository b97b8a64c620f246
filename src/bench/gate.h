// `--gate`: what a result must hold, against a baseline or alone. Pure, but for ReadGate.
//
//   gate      = condition {"," condition}
//   condition = metric ("<=" | ">=" | "<" | ">") limit
//   metric    = "throughput" | "goodput" | "mean" | "max" | "failures" | "p" number
//   limit     = ("+" | "-") number "%"          of the baseline's figure ("+0%": as it was)
//             | number ["us" | "ms" | "s" | "/s" | "%"]   absolute
//
// Absolute latencies need a unit, rates may have "/s", the share of failures has "%". Blanks count
// nothing. A relative limit of failures is in points: "failures<=+0.5%" allows half a percent of
// all requests more than before.
#ifndef HEADRACE_BENCH_GATE_H_
#define HEADRACE_BENCH_GATE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/level_match.h"
#include "bench/result_json.h"

namespace headrace::bench {

struct GateCondition {
  std::string text;  // as it was written
  MetricChoice metric;
  bool at_most = true;
  bool strict = false;    // "<", ">"
  bool relative = false;  // `limit` is a change: 0.05 = +5 %
  double limit = 0;       // else per second, nanoseconds, or a share
};

// INVALID_ARGUMENT names the condition and the right form.
Result<std::vector<GateCondition>> ParseGate(std::string_view text);
bool NeedsBaseline(const std::vector<GateCondition>& gate);

// A gate with what it compares with.
struct Gate {
  std::vector<GateCondition> conditions;  // empty: there is none
  std::optional<ResultDocument> baseline;
};
// Reads the two flags, of which either may be "". INVALID_ARGUMENT: a condition compares and there
// is no baseline, or a baseline and no gate; others as ReadResultFile's.
Result<Gate> ReadGate(const std::string& text, const std::string& baseline_path);

struct GateFinding {
  bool met = false;
  std::string
      text;  // "resnet18, poisson 50/s: p99<=+5%: 12.3 ms, baseline 11.0 ms (+11.8 %): missed"
};
// Every condition for every level of `result` (rounds joined). A relative one is missed where the
// baseline lacks the level: say so, rather than pass what was not compared. No level: missed.
// `baseline` may be null when none is needed.
std::vector<GateFinding> CheckGate(const std::vector<GateCondition>& gate,
                                   const ResultDocument* baseline, const ResultDocument& result);
std::vector<GateFinding> CheckGate(const Gate& gate, const ResultDocument& result);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_GATE_H_
