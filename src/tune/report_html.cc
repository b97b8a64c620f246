#include <fmt/format.h>

#include <algorithm>

#include "bench/html_page.h"
#include "bench/svg_axis.h"
#include "tune/report_plots.h"
#include "tune/report_text.h"

namespace headrace::tune {
namespace {

using bench::Escaped;

std::string ParetoPlot(const SearchReport& report) {
  const std::vector<std::size_t> set = ParetoSet(report.findings);
  std::vector<RatePoint> best, others;
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const Finding& finding = report.findings[i];
    if (finding.rungs > 0) {
      (std::find(set.begin(), set.end(), i) == set.end() ? others : best)
          .push_back({.configuration = finding.configuration,
                      .rate = finding.rate(),
                      .low = finding.estimate.low,
                      .high = finding.estimate.high});
    }
  }
  return RatePlot("Requests per second within the SLA over the cores used",
                  {{"Pareto set", std::move(best)}, {"measured", std::move(others)}});
}

void AddFindings(const SearchReport& report, bench::HtmlPage& page) {
  const std::vector<std::size_t> set = ParetoSet(report.findings);
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const Finding& finding = report.findings[i];
    const bool best = std::find(set.begin(), set.end(), i) != set.end();
    rows.push_back({Escaped(Describe(finding.configuration)) +
                        (best ? " " + bench::Pill("good", "Pareto") : ""),
                    RateText(finding.rate()),
                    finding.rungs > 0 ? fmt::format("{} to {}", RateText(finding.estimate.low),
                                                    RateText(finding.estimate.high))
                                      : "-",
                    RateText(finding.predicted),
                    finding.rungs > 0 ? DurationText(finding.latency) : "-",
                    std::to_string(finding.cores()), std::string(StageName(finding.stage)),
                    Escaped(finding.failure)});
  }
  page.Section("Configurations", "whatever got beyond arithmetic, best first");
  page.Table(
      {"configuration", "#rate", "#95 %", "#simulated", "#latency", "#cores", "known by", ""},
      rows);
}

}  // namespace

std::string ReportHtml(const SearchReport& report) {
  bench::HtmlPage page(
      fmt::format("headrace tune: {}", report.model),
      fmt::format("p{:g} within {}", report.target.percentile, DurationText(report.target.sla)));
  page.Section("Answer");
  if (report.winner) {
    const Finding& winner = report.findings[*report.winner];
    page.Tiles({{"within the SLA", RateText(winner.rate()), Describe(winner.configuration)},
                {"against what was found",
                 report.gain ? fmt::format("{:.2f} times", report.gain->value) : "-",
                 report.gain ? fmt::format("{:.2f} to {:.2f}", report.gain->low, report.gain->high)
                             : "not compared"},
                {"probes", std::to_string(report.probe_count), DurationText(report.elapsed)}});
    page.Note("info", Escaped("what binds: " + report.why.text));
  } else {
    page.Note("bad", "nothing meets the SLA");
    for (const std::string& line : report.advice) {
      page.Note("info", Escaped(line));
    }
  }
  for (const std::string& note : report.notes) {
    page.Note("warn", Escaped(note));
  }
  if (!report.findings.empty()) {
    page.Section("Pareto set");
    page.Legend({"Pareto set", "measured"}, true);
    page.Figures(
        {{.caption = "rate within the SLA over cores", .unit = "1/s", .svg = ParetoPlot(report)}});
    AddFindings(report, page);
  }
  if (!report.times.columns().empty()) {
    page.Section("Service times");
    AddServiceTimes(report.times, report.target.sla, page);
  }
  page.Section("Left out");
  AddCuts(report.cuts, page);
  return page.Text();
}

}  // namespace headrace::tune
