#include "cli/bench_suite.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "bench/environment.h"
#include "bench/gate.h"
#include "bench/progress_line.h"
#include "bench/result_json.h"
#include "bench/suite_files.h"
#include "bench/suite_plan.h"
#include "bench/suite_progress.h"
#include "bench/suite_report.h"
#include "bench/suite_run.h"
#include "bench/suite_spec.h"
#include "bench/suite_state.h"
#include "bench/suite_v2_target.h"
#include "cli/interrupt.h"

namespace headrace::cli {
namespace {

constexpr int kUsageError = 1;
constexpr int kFailed = 2;
constexpr int kGateMissed = 3;
constexpr int kInterrupted = 130;

struct Flags {
  std::string file, output, url, gate, baseline;
  bool fresh = false, dry_run = false, quiet = false, run_commands = false, json = false;
};

int Fail(int code, const Status& status) {
  fmt::print(stderr, "headrace bench suite: {}\n", status.message());
  return code;
}

// Nothing to go on with: `code` is the process's.
std::optional<int> Parse(const std::vector<std::string>& arguments, Flags& flags) {
  CLI::App app(
      "Measures the models, configurations and loads of a suite file (docs/bench.md), or of "
      "TorchServe's auto_benchmark. The same command goes on where one was cut.",
      "headrace bench suite");
  app.add_option("FILE", flags.file, "the suite")->required();
  app.add_option("-o,--output", flags.output, "the folder of its results (FILE's name + .results)");
  app.add_option("-u,--url", flags.url, "a running server, in place of what FILE says");
  app.add_option("--gate", flags.gate,
                 "what the results must hold, such as 'p99<=+5%,failures<=0.1%'");
  app.add_option("--baseline", flags.baseline, "the result.json that the gate compares with");
  app.add_flag("--fresh", flags.fresh, "measure everything again");
  app.add_flag("--dry-run", flags.dry_run, "print the points and how long they take");
  app.add_flag("--run-commands", flags.run_commands,
               "run FILE's metrics_cmd and report_cmd, which are shell commands");
  app.add_flag("--json", flags.json, "print result.json at the end, and nothing else");
  app.add_flag("--quiet", flags.quiet, "print nothing but failures");
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  if (flags.output.empty()) {
    flags.output = std::filesystem::path(flags.file).stem().string() + ".results";
  }
  flags.quiet |= flags.json;
  return std::nullopt;
}

std::string UtcNow() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

class SuiteCommand {
 public:
  explicit SuiteCommand(Flags flags) : flags_(std::move(flags)), line_(stderr, !flags_.quiet) {}

  int Run(const std::vector<std::string>& arguments) {
    auto spec = bench::ReadSuite(flags_.file);
    if (!spec.ok()) {
      return Fail(kUsageError, spec.status());
    }
    spec_ = std::move(*spec);
    if (!flags_.url.empty()) {
      spec_.server.url = flags_.url;
      spec_.server.repositories.clear();
      spec_.server.model_store.clear();
      spec_.server.arguments.clear();
    }
    auto plan = bench::PlanSuite(spec_);
    if (!plan.ok()) {
      return Fail(kUsageError, plan.status());
    }
    plan_ = std::move(*plan);
    if (!flags_.quiet) {
      for (const std::string& warning : spec_.warnings) {
        fmt::print(stderr, "note: {}\n", warning);
      }
    }
    if (flags_.dry_run) {
      fmt::print("{}", bench::PlanText(plan_));
      return 0;
    }
    if (const int code = ReadGate(); code != 0) {
      return code;
    }
    document_.started_at = UtcNow();
    document_.command_line = {"headrace", "bench", "suite"};
    document_.command_line.insert(document_.command_line.end(), arguments.begin(), arguments.end());
    head_.date = fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::localtime(std::time(nullptr)));
    return Measure();
  }

 private:
  int ReadGate() {
    auto gate = bench::ReadGate(flags_.gate, flags_.baseline);
    if (!gate.ok()) {
      return Fail(kUsageError, gate.status());
    }
    gate_ = std::move(*gate);
    return 0;
  }

  int Measure() {
    std::error_code error;
    if (std::filesystem::create_directories(flags_.output, error); error) {
      return Fail(kUsageError,
                  Unavailable("'{}' cannot be made: {}", flags_.output, error.message()));
    }
    auto state = bench::SuiteState::Open(bench::SuiteStatePath(flags_.output), plan_, flags_.fresh);
    if (!state.ok()) {
      return Fail(kUsageError, state.status());
    }
    state_ = std::move(*state);
    TellState();
    const Interrupt interrupt;
    std::signal(SIGPIPE, SIG_IGN);
    bench::SuiteTargetOptions target_options;
    target_options.stop = &interrupt.flag();
    target_options.work_folder = flags_.output;
    target_options.log_file = bench::SuiteLogPath(flags_.output);
    bench::SuiteOutcome outcome;
    if (state_->done_count() < plan_.size()) {
      auto target = bench::OpenSuiteTarget(spec_, target_options);
      if (!target.ok()) {
        return Fail(interrupt.flag() ? kInterrupted : kFailed, target.status());
      }
      DescribeTarget(**target);
      auto run = bench::RunSuite(spec_, plan_, **target, *state_, Options(interrupt.flag()));
      line_.Clear();
      if (!run.ok()) {
        fmt::print(stderr, "headrace bench suite: {}\n", run.status().message());
        failed_to_run_ = true;
      } else {
        outcome = *run;
      }
    } else {
      outcome.resumed = plan_.size();
    }
    return Report(outcome);
  }

  void TellState() {
    if (flags_.quiet) {
      return;
    }
    if (state_->done_count() > 0) {
      fmt::print(stderr, "going on: {} of {} points are measured already (--fresh measures anew)\n",
                 state_->done_count(), plan_.size());
    }
    if (state_->foreign_count() > 0) {
      fmt::print(stderr,
                 "the suite was changed since: {} measured points are not of it any more, and are "
                 "left out\n",
                 state_->foreign_count());
    }
  }

  void DescribeTarget(bench::SuiteTarget& target) {
    const bench::SuiteTargetFacts facts = target.Facts();
    document_.target.protocol = facts.protocol;
    document_.target.address = facts.address;
    document_.environment.server_name = facts.server_name;
    document_.environment.server_version = facts.server_version;
  }

  bench::SuiteRunOptions Options(const std::atomic<bool>& stop) {
    bench::SuiteRunOptions options;
    options.stop = &stop;
    options.progress = [this](const bench::SuiteProgress& progress) {
      number_ = progress.number;
      bench::Progress loading{bench::Progress::Phase::kConnect};
      line_.Show(bench::SuiteProgressText(progress),
                 progress.level == nullptr ? loading : *progress.level);
    };
    options.on_point = [this](const bench::SuitePoint& point, const bench::PointResult& result) {
      if (!flags_.quiet) {
        line_.Clear();
        fmt::print("{}\n", bench::PointText(number_, plan_.size(), point, result));
        std::fflush(stdout);
      }
      if (flags_.run_commands && !spec_.metrics_command.empty()) {
        Command(spec_.metrics_command);
      }
    };
    return options;
  }

  void Command(const std::string& command) {
    if (const Status status = bench::RunSuiteCommand(command, head_); !status.ok()) {
      fmt::print(stderr, "warning: {}\n", status.message());
    }
  }

  int Report(const bench::SuiteOutcome& outcome) {
    const std::vector<bench::SuiteRow> rows = bench::RowsOf(plan_, *state_);
    bench::Environment environment = bench::ReadEnvironment(true);
    environment.server_name = document_.environment.server_name;
    environment.server_version = document_.environment.server_version;
    document_.environment = environment;
    document_.interrupted = outcome.interrupted;
    head_.interrupted = outcome.interrupted;
    head_.server_version = environment.server_name + " " + environment.server_version;
    if (environment.server_name.empty()) {  // everything was measured before
      head_.server_version = "headrace " + environment.headrace_version;
    }
    bench::FillDocument(spec_, rows, document_);
    if (const Status written = bench::WriteSuiteFiles(flags_.output, spec_, rows, head_, document_);
        !written.ok()) {
      return Fail(kFailed, written);
    }
    if (flags_.json) {
      fmt::print("{}\n", bench::ToJson(document_));
    }
    Tell(outcome);
    if (flags_.run_commands && !spec_.report_command.empty() && !outcome.interrupted) {
      Command(spec_.report_command);
    }
    if (outcome.interrupted) {
      return kInterrupted;
    }
    return outcome.failed > 0 || failed_to_run_ ? kFailed : Gate();
  }

  void Tell(const bench::SuiteOutcome& outcome) {
    if (flags_.quiet) {
      return;
    }
    fmt::print("{} points measured, {} failed, {} from before{}\n", outcome.measured,
               outcome.failed, outcome.resumed, outcome.interrupted ? "; interrupted" : "");
    const bool commands = !spec_.metrics_command.empty() || !spec_.report_command.empty();
    if (commands && !flags_.run_commands) {
      fmt::print("metrics_cmd and report_cmd were not run: --run-commands runs them\n");
    }
    if (outcome.interrupted || outcome.failed > 0) {
      fmt::print("next: the same command goes on; {}/report.html shows what is known\n",
                 flags_.output);
    } else {
      fmt::print(
          "next: look at {0}/report.html; `headrace bench diff {0}/result.json OTHER` "
          "compares it\n",
          flags_.output);
    }
  }

  int Gate() {
    bool met = true;
    if (!gate_.conditions.empty()) {
      for (const bench::GateFinding& finding : bench::CheckGate(gate_, document_)) {
        met &= finding.met;
        if (!flags_.quiet || !finding.met) {
          fmt::print(stderr, "gate: {}\n", finding.text);
        }
      }
    }
    return met ? 0 : kGateMissed;
  }

  const Flags flags_;
  bench::ProgressLine line_;
  bench::SuiteSpec spec_;
  std::vector<bench::SuitePoint> plan_;
  std::unique_ptr<bench::SuiteState> state_;
  bench::Gate gate_;
  bench::ResultDocument document_;
  bench::SuiteReportHead head_;
  std::size_t number_ = 0;
  bool failed_to_run_ = false;
};

}  // namespace

int BenchSuite(const std::vector<std::string>& arguments) {
  Flags flags;
  if (const std::optional<int> code = Parse(arguments, flags)) {
    return *code;
  }
  return SuiteCommand(std::move(flags)).Run(arguments);
}

}  // namespace headrace::cli
