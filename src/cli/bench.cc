#include "cli/bench.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <utility>

#include "bench/bench_options.h"
#include "bench/bench_outputs.h"
#include "bench/bench_run.h"
#include "bench/progress_line.h"
#include "bench/text_report.h"
#include "cli/bench_diff.h"
#include "cli/bench_suite.h"
#include "cli/interrupt.h"
#include "protocol/json_writer.h"

namespace headrace::cli {
namespace {

constexpr int kUsageError = 1;
constexpr int kFailed = 2;

// The terminal and the stream of events, as a run goes on.
class Console {
 public:
  explicit Console(const bench::BenchOptions& options)
      : options_(options),
        report_(options.output.takes_stdout() ? stderr : stdout),
        line_(stderr, !options.output.quiet) {}

  bench::BenchListener Listener() {
    bench::BenchListener listener;
    listener.begins = [this](const bench::ResultDocument& document) {
      document_ = document;
      Print(bench::HeadText(document));
    };
    listener.progress = [this](std::string_view what, const bench::Progress& progress) {
      line_.Show(what, progress);
    };
    listener.level_ended = [this](const bench::LevelResult& level) {
      Print(bench::LevelText(level, document_, options_.output.verbosity));
      Event(level);
    };
    listener.probe_ended = [this](const bench::CapacityProbe& probe) {
      Print(bench::ProbeText(probe));
      Event(probe.level);
    };
    return listener;
  }

  void Print(std::string_view text) {
    if (options_.output.quiet || text.empty()) {
      return;
    }
    line_.Clear();
    fmt::print(report_, "{}{}", text, text.ends_with('\n') ? "" : "\n");
    std::fflush(report_);
  }

 private:
  // One line of --ndjson.
  void Event(const bench::LevelResult& level) {
    if (options_.output.ndjson.empty()) {
      return;
    }
    std::string line;
    protocol::JsonWriter json(line);
    json.BeginObject().Key("event").String("level").Key("level");
    bench::WriteLevel(json, level);
    json.EndObject();
    line += '\n';
    if (options_.output.ndjson == "-") {
      std::fwrite(line.data(), 1, line.size(), stdout);
      std::fflush(stdout);
    } else {
      std::ofstream(options_.output.ndjson, std::ios::app) << line;
    }
  }

  const bench::BenchOptions& options_;
  std::FILE* const report_;
  bench::ProgressLine line_;
  bench::ResultDocument document_;
};

int Fail(int code, const Status& status) {
  fmt::print(stderr, "headrace bench: {}\n", status.message());
  return code;
}

// What to do next: one line.
std::string Hint(const bench::BenchOptions& options, const bench::BenchOutcome& outcome) {
  using Kind = bench::LevelPlan::Kind;
  if (outcome.server_gone) {
    return "next: see the server's log for why it went away";
  }
  if (options.plan.kind == Kind::kProbe && !options.level.sla) {
    return "next: --find-capacity --sla p99=100ms finds the highest rate within a latency";
  }
  if (options.output.json.empty()) {
    return "next: --json FILE keeps the result, for `headrace bench diff` and reports";
  }
  return fmt::format("next: `headrace bench diff {} OTHER` compares it with another run",
                     options.output.json == "-" ? "FILE" : options.output.json);
}

}  // namespace

int Bench(const std::vector<std::string>& arguments) {
  for (const auto& [name, command] :
       {std::pair("suite", &BenchSuite), std::pair("diff", &BenchDiff)}) {
    if (!arguments.empty() && arguments.front() == name) {
      return command({arguments.begin() + 1, arguments.end()});
    }
  }
  Result<bench::BenchOptions> options = bench::ParseBenchOptions(arguments);
  if (!options.ok()) {
    return Fail(kUsageError, options.status());
  }
  if (options->help) {
    fmt::print("{}\n", options->help_text);
    return 0;
  }
  if (!options->output.quiet) {
    for (const std::string& note : options->notes) {
      fmt::print(stderr, "note: {}\n", note);
    }
  }
  if (Status status = bench::CheckOutputs(options->output); !status.ok()) {
    return Fail(kUsageError, status);
  }
  std::signal(SIGPIPE, SIG_IGN);
  Console console(*options);
  const Interrupt interrupt;
  Result<bench::BenchOutcome> outcome =
      bench::RunBench(*options, &interrupt.flag(), console.Listener());
  if (!outcome.ok()) {
    const bool usage = outcome.status().code() == StatusCode::kInvalidArgument;
    console.Print("");
    return Fail(interrupt.flag() ? 130 : usage ? kUsageError : kFailed, outcome.status());
  }
  if (!options->golden_record.empty()) {
    console.Print(fmt::format("{} answers are in {}; --golden {} compares with them",
                              outcome->recorded_count, options->golden_record,
                              options->golden_record));
    return 0;
  }
  if (outcome->capacity) {
    console.Print(bench::CapacityText(*outcome->capacity, *outcome->capacity_spec));
  } else if (outcome->document.levels.size() > 1) {
    console.Print(bench::LevelTable(outcome->document.levels));
  }
  const Status written = bench::WriteOutputs(options->output, outcome->document);
  if (!written.ok()) {
    return Fail(kFailed, written);
  }
  for (const bench::GateFinding& finding : outcome->gate) {
    if (!options->output.quiet || !finding.met) {
      fmt::print(stderr, "gate: {}\n", finding.text);
    }
  }
  console.Print(Hint(*options, *outcome));
  return bench::ExitCode(*outcome, *options);
}

}  // namespace headrace::cli
