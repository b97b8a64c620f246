#include "cli/tune.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "bench/file_writer.h"
#include "bench/progress_line.h"
#include "bench/result_json.h"
#include "cli/interrupt.h"
#include "tune/multi_report.h"
#include "tune/multi_run.h"
#include "tune/report_text.h"
#include "tune/tune_options.h"
#include "tune/tune_run.h"

namespace headrace::cli {
namespace {

constexpr int kUsageError = 1;
constexpr int kFailed = 2;

int Fail(int code, const Status& status) {
  fmt::print(stderr, "headrace tune: {}\n", status.message());
  return code;
}

std::string Hint(const tune::TuneOptions& options, const tune::TuneOutcome& outcome) {
  if (outcome.report.interrupted) {
    return options.resume.empty()
               ? "next: --resume FILE keeps what is measured for another try"
               : fmt::format("next: the same command goes on with {}", options.resume);
  }
  if (!outcome.report.winner) {
    return "next: a longer SLA, a faster variant (headrace optimize), or another machine";
  }
  if (outcome.applied_to.empty()) {
    return "next: --apply writes the configuration; `headrace bench --find-capacity` checks it";
  }
  return "next: `headrace bench --find-capacity` checks it under your own load";
}

// Where people read: "-" gives the standard output to a file.
std::FILE* Screen(const tune::TuneOptions& options) {
  return options.json == "-" || options.html == "-" ? stderr : stdout;
}

void SayWhatFailed(const Status& emitted) {
  if (!emitted.ok()) {
    Fail(kFailed, emitted.WithPrefix("the answer is above, and it could not be applied, or the "
                                     "server could not be put back: "));
  }
}

void Print(const tune::TuneOptions& options, const tune::TuneOutcome& outcome) {
  std::FILE* out = Screen(options);
  fmt::print(out, "{}", tune::ReportText(outcome.report));
  if (!outcome.config_text.empty()) {
    fmt::print(out, "\n{}:\n{}", outcome.config_name, outcome.config_text);
  }
  if (!outcome.applied_to.empty()) {
    fmt::print(out, "\napplied to {}\n", outcome.applied_to);
  }
  SayWhatFailed(outcome.emitted);
  if (!options.quiet) {
    fmt::print(stderr, "{}\n", Hint(options, outcome));
  }
}

// The code that is left when the result's files are written: `code`, or what a failure of that is.
template <typename Page>
int WriteFiles(const tune::TuneOptions& options, const bench::ResultDocument& document, Page page,
               int code) {
  if (!options.json.empty()) {
    if (const Status status = bench::WriteResultFile(options.json, document); !status.ok()) {
      code = Fail(kFailed, status);
    }
  }
  if (!options.html.empty()) {
    if (const Status status = bench::WriteFile(options.html, page()); !status.ok()) {
      code = Fail(kFailed, status);
    }
  }
  return code;
}

int TuneSeveral(const tune::TuneOptions& options, const std::atomic<bool>* stop,
                bench::ProgressLine& line, const tune::TuneListener& listener) {
  const Result<tune::MultiOutcome> outcome = tune::RunTuneSeveral(options, stop, listener);
  line.Clear();
  if (!outcome.ok()) {
    return stop->load() ? 130 : Fail(kFailed, outcome.status());
  }
  const int code = WriteFiles(
      options, outcome->document, [&] { return tune::MultiReportHtml(outcome->report); },
      tune::ExitCode(*outcome));
  std::FILE* out = Screen(options);
  fmt::print(out, "{}", tune::MultiReportText(outcome->report));
  for (std::size_t i = 0; i < outcome->files.size(); ++i) {
    fmt::print(out, "\n{}/{}:\n{}", options.models[i].model, outcome->files[i].name,
               outcome->files[i].text);
  }
  for (const std::string& where : outcome->applied_to) {
    fmt::print(out, "\napplied to {}\n", where);
  }
  SayWhatFailed(outcome->emitted);
  return code;
}

}  // namespace

int Tune(const std::vector<std::string>& arguments) {
  const Result<tune::TuneOptions> options = tune::ParseTuneOptions(arguments);
  if (!options.ok()) {
    return Fail(kUsageError, options.status());
  }
  if (options->help) {
    fmt::print("{}", tune::TuneHelp());
    return 0;
  }
  Interrupt interrupt;
  bench::ProgressLine line(stderr, !options->quiet);
  tune::TuneListener listener;
  listener.event = [&line](const tune::SearchEvent& event) {
    line.Say(fmt::format("{}: {}", event.step, event.text));
  };
  if (isatty(STDERR_FILENO) != 0) {  // elsewhere the events are lines enough
    listener.progress = [&line](std::string_view what, const bench::Progress& progress) {
      line.Show(what, progress);
    };
  }
  if (options->models.size() > 1) {
    return TuneSeveral(*options, &interrupt.flag(), line, listener);
  }
  Result<tune::TuneOutcome> outcome = tune::RunTune(*options, &interrupt.flag(), listener);
  line.Clear();
  if (!outcome.ok()) {
    return interrupt.flag() ? 130 : Fail(kFailed, outcome.status());
  }
  const int code = WriteFiles(
      *options, outcome->document, [&] { return tune::ReportHtml(outcome->report); },
      tune::ExitCode(*outcome));
  Print(*options, *outcome);
  return code;
}

}  // namespace headrace::cli
