#include "tune/report_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "tune/report_parts.h"
#include "tune/tune_comment.h"

namespace headrace::tune {
namespace {

std::string Memory(std::uint64_t bytes) {
  return bytes == 0 ? "-" : fmt::format("{:.0f} MiB", static_cast<double>(bytes) / 1048576);
}

std::string Accuracy(double drop) { return drop == 0 ? "-" : fmt::format("{:.2f} %", drop * 100); }

void AddAnswer(const SearchReport& report, std::string& text) {
  if (!report.winner) {
    text += fmt::format("nothing meets {}\n", SlaText(report.target));
    for (const std::string& line : report.advice) {
      text += fmt::format("  {}\n", line);
    }
    return;
  }
  const Finding& winner = report.findings[*report.winner];
  text += fmt::format("{}: {} within {}\n", Describe(winner.configuration), RateText(winner.rate()),
                      SlaText(report.target));
  if (winner.confirmed) {
    text += fmt::format("  confirmed: {} of it within the SLA ({} to {})\n",
                        RateText(winner.confirmed->value), RateText(winner.confirmed->low),
                        RateText(winner.confirmed->high));
  }
  if (report.gain) {
    text += fmt::format("  against what was found: {:.2f} times ({:.2f} to {:.2f}){}\n",
                        report.gain->value, report.gain->low, report.gain->high,
                        report.gain_certain ? "" : ": no difference that is certain");
  }
  if (report.found_is_better()) {
    text += "  what was found did better in the confirmation: keep it\n";
  }
  text += fmt::format("  what binds: {}\n", report.why.text);
}

void AddPareto(const SearchReport& report, std::string& text) {
  const std::vector<std::size_t> set = ParetoSet(report.findings);
  if (set.empty()) {
    return;
  }
  std::size_t width = 13;
  for (const std::size_t i : set) {
    width = std::max(width, Describe(report.findings[i].configuration).size());
  }
  text += fmt::format("\nnothing else is better in all of rate, cores, memory and accuracy:\n");
  text += fmt::format("  {:<{}}  {:>10}  {:>21}  {:>9}  {:>5}  {:>9}  {:>8}  {}\n", "configuration",
                      width, "rate", "95 %", "latency", "cores", "memory", "accuracy-", "known by");
  for (const std::size_t i : set) {
    const Finding& f = report.findings[i];
    text +=
        fmt::format("  {:<{}}  {:>10}  {:>21}  {:>9}  {:>5}  {:>9}  {:>8}  {}\n",
                    Describe(f.configuration), width, RateText(f.rate()),
                    fmt::format("{} to {}", RateText(f.estimate.low), RateText(f.estimate.high)),
                    DurationText(f.latency), f.cores(), Memory(f.memory_bytes),
                    Accuracy(f.accuracy_drop), StageName(f.stage));
  }
}

}  // namespace

std::string ReportText(const SearchReport& report) {
  std::string text;
  AddAnswer(report, text);
  AddPareto(report, text);
  std::size_t removed = 0;
  for (const Cut& cut : report.cuts) {
    removed += cut.count;
  }
  text += fmt::format("\n{} configurations, {} probes in {}; {} were left out:\n",
                      report.space_size, report.probe_count, DurationText(report.elapsed), removed);
  for (const Cut& cut : report.cuts) {
    text += fmt::format("  {}: {}\n", cut.what, cut.reason);
  }
  for (const Finding& finding : report.findings) {
    if (!finding.failure.empty()) {
      text += fmt::format("  {}: {}\n", Describe(finding.configuration), finding.failure);
    }
  }
  AddNotes(report.notes, report.interrupted, text);
  return text;
}

std::string WinnerComment(const SearchReport& report) {
  if (!report.winner) {
    return {};
  }
  const Finding& winner = report.findings[*report.winner];
  std::string text =
      fmt::format("{}{} with {}\n", kCommentMark, RateText(winner.rate()), SlaText(report.target));
  text += fmt::format("{}\n", Describe(winner.configuration));
  return text + fmt::format("what binds: {}", report.why.text);
}

}  // namespace headrace::tune
