#include "bench/bench_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/thread.h"
#include "bench/bench_flags.h"
#include "bench/bench_target.h"
#include "bench/bench_workload.h"

namespace headrace::bench {
namespace {

// Takes flags one after another; the first error is kept.
class Resolver {
 public:
  explicit Resolver(const BenchFlags& flags) : flags_(flags) {}

  Result<BenchOptions> Take() {
    options_.notes = flags_.notes;
    options_.name = flags_.name.value_or("");
    Check(ResolveTarget(flags_, options_));
    Check(ResolveWorkload(flags_, options_));
    Phases();
    Arrivals();
    Plan();
    Client();
    Server();
    Output();
    Gates();
    GoldenRecord();
    HEADRACE_RETURN_IF_ERROR(failure_);
    return std::move(options_);
  }

 private:
  void Check(Status status) {
    if (failure_.ok()) {
      failure_ = std::move(status);
    }
  }
  template <typename... Args>
  void Fail(fmt::format_string<Args...> format, Args&&... args) {
    Check(InvalidArgument(format, std::forward<Args>(args)...));
  }
  // Sets `field` if the flag is there.
  template <typename T, typename Parse>
  void Set(const char* name, const Text& flag, T& field, Parse parse) {
    if (!flag) {
      return;
    }
    auto value = parse(*flag);
    if (!value.ok()) {
      return Check(value.status().WithPrefix(fmt::format("{}: ", name)));
    }
    field = static_cast<T>(*std::move(value));
  }
  template <typename T>
  void SetCount(const char* name, const Text& flag, T& field, std::uint64_t min = 0) {
    Set(name, flag, field, [min](std::string_view text) { return ParseCount(text, min); });
  }

  void Phases() {
    LevelSpec& level = options_.level;
    if (flags_.duration && flags_.measurement_interval) {
      Fail("give --duration or --measurement-interval, not both");
    }
    const auto seconds = [](std::string_view text) { return ParseDuration(text); };
    const auto milliseconds = [](std::string_view text) {
      return ParseDuration(text, kMillisecond);
    };
    Set("--duration", flags_.duration, level.stop.duration, seconds);
    Set("--measurement-interval", flags_.measurement_interval, level.stop.duration, milliseconds);
    if (level.stop.duration <= 0) {
      Fail("--duration: must be above 0");
    }
    SetCount("--requests", flags_.requests, level.stop.request_count, 0);
    CountWindows();
    Set("--warmup", flags_.warmup, level.warmup_max, seconds);
    SetCount("--warmup-requests", flags_.warmup_requests, level.warmup_request_count, 0);
    if (flags_.warmup_requests && !flags_.warmup) {
      level.warmup_max = 0;  // perf_analyzer's 0 means none
    }
    Set("--drain", flags_.drain, level.drain_max, seconds);
    Set("--interval-width", flags_.interval_width, level.stop.interval_width, ParseShare);
    Set("--failure-share-max", flags_.failure_share_max, level.failure_share_max, ParseShare);
    Percentile();
    options_.strict = flags_.strict;
  }

  // So many requests, however long it takes: without a duration of its own.
  void CountWindows() {
    const std::string mode = flags_.measurement_mode.value_or("time_windows");
    if (mode != "time_windows" && mode != "count_windows") {
      Fail("--measurement-mode: '{}' is neither time_windows nor count_windows", mode);
    }
    LevelSpec& level = options_.level;
    if (mode == "count_windows" && level.stop.request_count == 0) {
      level.stop.request_count = 50;
      SetCount("--measurement-request-count", flags_.measurement_request_count,
               level.stop.request_count, 1);
    }
    if (level.stop.request_count > 0 && !flags_.duration && !flags_.measurement_interval) {
      level.stop.duration = kNever;
    }
  }

  void Percentile() {
    LevelSpec& level = options_.level;
    if (flags_.sla && flags_.latency_threshold) {
      Fail("give --sla or --latency-threshold, not both");
    }
    Set("--percentile", flags_.percentile, level.percentile, ParseNumber);
    if (flags_.percentile && *flags_.percentile == "-1") {
      level.percentile = 99;  // perf_analyzer's word for the mean
    }
    if (level.percentile <= 0 || level.percentile >= 100) {
      Fail("--percentile: must lie between 0 and 100");
    }
    if (flags_.sla) {
      Sla sla;
      Set("--sla", flags_.sla, sla, ParseSla);
      if (flags_.sla->find('=') != std::string::npos || !flags_.percentile) {
        level.percentile = sla.percentile;
      }
      level.sla = sla.limit;
    }
    Nanos threshold = 0;
    Set("--latency-threshold", flags_.latency_threshold, threshold,
        [](std::string_view text) { return ParseDuration(text, kMillisecond); });
    if (threshold > 0) {  // 0: none
      level.sla = threshold;
    }
  }

  void Arrivals() {
    load::ArrivalSpec& arrivals = options_.level.arrivals;
    SetCount("--seed", flags_.seed, arrivals.seed);
    options_.workload.seed = arrivals.seed;
    if (flags_.rate_range) {
      arrivals.kind = load::ArrivalSpec::Kind::kConstant;
    }
    if (flags_.arrivals && flags_.distribution) {
      Fail("give --arrivals or --request-distribution, not both");
    }
    const Text& kind = flags_.arrivals ? flags_.arrivals : flags_.distribution;
    Set("--arrivals", kind, arrivals.kind, ParseKind);
    Set("--burstiness", flags_.burstiness, arrivals.burstiness, ParseNumber);
    if (flags_.burstiness) {
      if (arrivals.burstiness <= 0) {
        Fail("--burstiness: must be above 0");
      }
      if (kind && arrivals.kind != load::ArrivalSpec::Kind::kGamma) {
        Fail("--burstiness: belongs to --arrivals gamma");
      }
      arrivals.kind = load::ArrivalSpec::Kind::kGamma;
    }
    Set("--profile", flags_.profile, arrivals.profile, ParseProfile);
    Set("--time-scale", flags_.time_scale, arrivals.time_scale, ParseNumber);
    if (arrivals.time_scale <= 0) {
      Fail("--time-scale: must be above 0");
    }
    if (flags_.intervals && failure_.ok()) {
      Set("--replay", flags_.intervals, options_.recording, load::ReadRecording);
      if (failure_.ok()) {
        load::ApplyTimes(options_.recording, false, arrivals);
        SendOnce(arrivals);
      }
    }
    if (flags_.fixed_schedule && failure_.ok()) {
      arrivals.kind = load::ArrivalSpec::Kind::kSchedule;
      auto offsets = ReadSchedule(flags_.input_data);
      if (!offsets.ok()) {
        return Check(offsets.status());
      }
      arrivals.intervals = *std::move(offsets);
      SendOnce(arrivals);
    }
  }

  // What is sent once has no warm-up, and ends by itself.
  void SendOnce(const load::ArrivalSpec& arrivals) {
    if (arrivals.kind != load::ArrivalSpec::Kind::kSchedule) {
      return;
    }
    if (!flags_.duration && !flags_.measurement_interval) {
      options_.level.stop.duration = kNever;
    }
    options_.level.warmup_max = 0;
  }

  static Result<load::ArrivalSpec::Kind> ParseKind(std::string_view text) {
    using Kind = load::ArrivalSpec::Kind;
    constexpr std::pair<std::string_view, Kind> kKinds[] = {
        {"poisson", Kind::kPoisson}, {"constant", Kind::kConstant}, {"gamma", Kind::kGamma}};
    for (const auto& [name, kind] : kKinds) {
      if (name == text) {
        return kind;
      }
    }
    return InvalidArgument("'{}' is none of poisson, constant, gamma", text);
  }

  void Plan() {
    LevelPlan& plan = options_.plan;
    const std::pair<const char*, const Text*> loads[] = {
        {"--rate", &flags_.rate},
        {"--request-rate-range", &flags_.rate_range},
        {"--concurrency", &flags_.concurrency},
        {"--concurrency-range", &flags_.concurrency_range},
        {"-t", &flags_.legacy_concurrency},
        {"--replay", &flags_.intervals}};
    const char* given = flags_.fixed_schedule ? "--fixed-schedule" : nullptr;
    for (const auto& [name, flag] : loads) {
      if (!*flag) {
        continue;
      }
      if (given != nullptr) {
        return Fail("give {} or {}, not both", given, name);
      }
      given = name;
      if (flag != &flags_.intervals) {
        plan.kind = LevelPlan::Kind::kLevels;
        plan.closed = flag != &flags_.rate && flag != &flags_.rate_range;
        Set(name, *flag, plan.range, ParseRange);
      }
    }
    if (flags_.intervals || flags_.fixed_schedule) {
      plan.kind = LevelPlan::Kind::kLevels;
    }
    if (plan.closed) {
      options_.level.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
      if (plan.range.start < 1) {
        Fail("{}: at least one request is out at a time", given);
      }
    }
    Search(given);
  }

  void Search(const char* given) {
    LevelPlan& plan = options_.plan;
    const bool has_sla = options_.level.sla.has_value();
    Set("--precision", flags_.precision, plan.precision, ParseShare);
    if (flags_.find_capacity) {
      if (!has_sla) {
        Fail("--find-capacity: needs the limit to keep: --sla p99=100ms");
      }
      if (plan.closed || flags_.intervals || flags_.fixed_schedule) {
        Fail("--find-capacity: looks for a rate, so it takes no {}", given);
      }
      if (plan.precision < 0.001) {
        Fail("--precision: at least 0.1%");
      }
      plan.kind = LevelPlan::Kind::kCapacity;
    } else if (flags_.binary_search) {
      if (given == nullptr || !plan.range.has_end || plan.range.unbounded() || !has_sla) {
        Fail("--binary-search: needs a range START:END:STEP and a limit: --sla p99=100ms");
      }
      plan.kind = LevelPlan::Kind::kBisect;
    } else if (plan.kind == LevelPlan::Kind::kLevels && plan.range.unbounded() && !has_sla) {
      Fail("{}: END 0 means until the limit is missed: give one, --sla p99=100ms", given);
    }
  }

  void Client() {
    const int processors = static_cast<int>(AvailableCpus().size());
    // A sender fills a core at some hundred thousand requests a second; the server wants the rest.
    options_.sender_count = std::clamp(processors / 4, 1, 8);
    int threads_max = options_.sender_count;
    SetCount("--max-threads", flags_.max_threads, threads_max, 1);
    options_.sender_count = std::min(options_.sender_count, threads_max);
    SetCount("--senders", flags_.senders, options_.sender_count, 1);
    SetCount("--outstanding-max", flags_.outstanding_max, options_.outstanding_max, 1);
    if (flags_.fixed_schedule) {
      options_.sender_count = 1;  // so that the entries go out in their order
    }
  }

  void Server() {
    Set("--metrics-interval", flags_.metrics_interval, options_.metrics_interval,
        [](std::string_view text) { return ParseDuration(text, kMillisecond); });
    if (flags_.composing_models) {
      std::string_view all = *flags_.composing_models;
      while (!all.empty()) {
        const std::size_t end = std::min(all.find(','), all.size());
        options_.composing_models.emplace_back(all.substr(0, all.substr(0, end).find(':')));
        all.remove_prefix(std::min(end + 1, all.size()));
      }
    }
    options_.trace.level = flags_.trace_levels;
    options_.trace.rate = flags_.trace_rate;
    options_.trace.count = flags_.trace_count;
    options_.trace.log_frequency = flags_.log_frequency;
    const bool v2 = options_.target.protocol == load::Protocol::kV2Http ||
                    options_.target.protocol == load::Protocol::kV2Grpc;
    if (options_.trace.any() && !v2) {
      Fail("--trace-level: only servers of the v2 protocols have trace settings");
    }
  }

  void Output() {
    OutputOptions& output = options_.output;
    output.json = flags_.json.value_or("");
    output.ndjson = flags_.ndjson.value_or("");
    output.csv = flags_.csv.value_or("");
    output.profile = flags_.export_file.value_or("");
    output.percentiles = flags_.percentiles.value_or("");
    output.trace = flags_.trace_file.value_or("");
    output.html = flags_.html.value_or("");
    output.verbose_csv = flags_.verbose_csv;
    output.metrics_columns = flags_.collect_metrics;
    if (flags_.percentile && *flags_.percentile != "-1") {
      output.percentile_column = options_.level.percentile;
    }
    output.quiet = flags_.quiet;
    output.verbosity = flags_.verbosity;
    if ((output.json == "-") + (output.ndjson == "-") + (output.csv == "-") + (output.html == "-") >
        1) {
      Fail("only one of --json, --ndjson, --csv and --html can be '-'");
    }
  }

  void Gates() {
    auto gate = ReadGate(flags_.gate.value_or(""), flags_.baseline.value_or(""));
    if (!gate.ok()) {
      return Check(gate.status());
    }
    options_.gate = *std::move(gate);
    if (!options_.gate.conditions.empty() && options_.plan.kind != LevelPlan::Kind::kLevels) {
      Fail("--gate: looks at given loads, so give --rate or --concurrency; a search has none");
    }
  }

  // Each content once, one after another.
  void GoldenRecord() {
    options_.golden_record = flags_.golden_record.value_or("");
    if (options_.golden_record.empty()) {
      return;
    }
    if (flags_.golden) {
      Fail("give --golden or --golden-record, not both");
    }
    if (!options_.gate.conditions.empty()) {
      Fail("--gate: --golden-record measures nothing");
    }
    options_.sender_count = 1;
  }

  const BenchFlags& flags_;
  BenchOptions options_;
  Status failure_;
};

}  // namespace

Result<BenchOptions> ParseBenchOptions(const std::vector<std::string>& arguments) {
  HEADRACE_ASSIGN_OR_RETURN(BenchFlags flags, ParseBenchFlags(arguments));
  if (flags.help) {
    BenchOptions options;
    options.help = true;
    options.help_text = std::move(flags.help_text);
    return options;
  }
  HEADRACE_ASSIGN_OR_RETURN(BenchOptions options, Resolver(flags).Take());
  options.command_line = {"headrace", "bench"};
  options.command_line.insert(options.command_line.end(), arguments.begin(), arguments.end());
  return options;
}

}  // namespace headrace::bench
