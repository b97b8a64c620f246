// Carries out what `headrace bench` was asked for: target, workload, levels.
#ifndef HEADRACE_BENCH_BENCH_RUN_H_
#define HEADRACE_BENCH_BENCH_RUN_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/bench_options.h"
#include "bench/capacity.h"
#include "bench/result_json.h"
#include "bench/session.h"

namespace headrace::bench {

// Told on the caller's thread. All but `document` may be empty.
struct BenchListener {
  // What is known before the first level: environment, target, workload.
  std::function<void(const ResultDocument&)> begins;
  std::function<void(std::string_view what, const Progress&)> progress;
  std::function<void(const LevelResult&)> level_ended;
  std::function<void(const CapacityProbe&)> probe_ended;
};

struct BenchOutcome {
  ResultDocument document;  // with all levels, those of a search among them
  std::optional<CapacitySpec> capacity_spec;
  std::optional<CapacityResult> capacity;  // its levels are moved into the document
  bool server_gone = false;
  bool nothing_answered = false;   // not one request ended well
  bool sla_missed = false;         // there is one, and no level meets it (or no rate does)
  bool unclean = false;            // a level's verdict is not stable
  std::size_t recorded_count = 0;  // --golden-record: answers that were written
  std::vector<GateFinding> gate;   // of --gate
};

// Blocks. A status only when nothing could be measured: its message says what to do. `stop` as in
// SessionOptions.
Result<BenchOutcome> RunBench(const BenchOptions& options, const std::atomic<bool>* stop,
                              const BenchListener& listener);

// 0, 2 (all failed, the server went away, or --strict), 3 (SLA or gate missed), 130 (interrupted).
int ExitCode(const BenchOutcome& outcome, const BenchOptions& options);

// Whether the percentile that the level looks at, and its failures, are within its SLA.
bool MeetsSla(const LevelResult& level);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BENCH_RUN_H_
