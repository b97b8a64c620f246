// What `headrace bench` was asked to do.
#ifndef HEADRACE_BENCH_BENCH_OPTIONS_H_
#define HEADRACE_BENCH_BENCH_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "bench/bench_values.h"
#include "bench/gate.h"
#include "bench/level.h"
#include "load/replay.h"
#include "load/server_control.h"
#include "load/target.h"
#include "load/workload_spec.h"

namespace headrace::bench {

// The levels of a run.
struct LevelPlan {
  enum class Kind : std::uint8_t {
    kProbe,     // nothing was asked for: a short closed probe, then 50, 70 and 90 % of what it got
    kLevels,    // `range`, one after another; ends behind the first that misses the SLA
    kBisect,    // perf_analyzer's --binary-search over `range`
    kCapacity,  // --find-capacity
  };
  Kind kind = Kind::kProbe;
  bool closed = false;  // `range` is of the concurrency, else of the rate
  Range range;
  double precision = 0.03;  // kCapacity
};

// perf_analyzer's --trace-*: settings that the server is given before the run.
struct TraceSettings {
  std::vector<std::string> level;
  std::optional<std::string> rate, count, log_frequency;
  bool any() const { return !level.empty() || rate || count || log_frequency; }
};

struct OutputOptions {
  std::string json;         // "" = none, "-" = the standard output; so for all of them
  std::string ndjson;       // one event on a line: each level when it has ended
  std::string csv;          // perf_analyzer's -f
  std::string profile;      // perf_analyzer's --profile-export-file
  std::string percentiles;  // HdrHistogram's .hgrm; several levels: NAME.1.hgrm, ...
  std::string trace;        // of sampled requests, for Perfetto
  std::string html;
  bool verbose_csv = false;
  bool metrics_columns = false;             // of GPUs, in the verbose table
  std::optional<double> percentile_column;  // the one that --percentile names
  bool quiet = false;
  int verbosity = 0;

  // Whether records of single requests are wanted.
  bool needs_records() const { return !profile.empty() || !trace.empty(); }
  // Whether the standard output belongs to a file format.
  bool takes_stdout() const { return json == "-" || ndjson == "-" || csv == "-" || html == "-"; }
};

struct BenchOptions {
  std::string name;
  load::TargetSpec target;
  load::ControlSpec control;  // its target is `target`
  load::WorkloadSpec workload;
  std::vector<std::string> composing_models;  // --bls-composing-models
  LevelPlan plan;
  load::Recording recording;  // of --replay; its names are the workload's items
  LevelSpec level;            // of each level, but for the arrivals' rate or concurrency
  int sender_count = 0;       // 0 = by the number of processors
  int outstanding_max = 100'000;
  Nanos metrics_interval = kSecond;
  bool strict = false;  // a verdict that is not clean fails the run
  TraceSettings trace;
  Gate gate;                  // of each level
  std::string golden_record;  // the file that answers are written to in place of a run; "" = none
  OutputOptions output;

  std::vector<std::string> command_line;
  std::vector<std::string> notes;  // flags that are taken and do nothing, each with its reason
  bool help = false;
  std::string help_text;
};

// `arguments` without the program's and the subcommand's names. INVALID_ARGUMENT names the flag and
// what would be right. Flags of perf_analyzer are known (contracts, tools 1.1): each of them acts,
// or is named in `notes`, or is refused with the reason. Reads
// the files of --replay, --fixed-schedule and --baseline.
Result<BenchOptions> ParseBenchOptions(const std::vector<std::string>& arguments);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BENCH_OPTIONS_H_
