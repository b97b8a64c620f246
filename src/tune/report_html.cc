#include <fmt/format.h>

#include <algorithm>

#include "bench/html_page.h"
#include "bench/svg_plot.h"
#include "tune/report_text.h"

namespace headrace::tune {
namespace {

using bench::Escaped;

// Rate over cores: what is above and to the left is better.
std::string ParetoPlot(const SearchReport& report) {
  bench::LinePlotSpec plot;
  plot.title = "Requests per second within the SLA over the cores used";
  plot.x_name = "cores";
  bench::PlotSeries all, best;
  all.name = "measured";
  all.color = 1;
  best.name = "Pareto set";
  double cores = 1, rate = 1;
  const auto add = [&](const Finding& finding, bench::PlotSeries& series) {
    series.points.push_back({.x = static_cast<double>(finding.cores()),
                             .y = finding.rate(),
                             .low = finding.estimate.low,
                             .high = finding.estimate.high,
                             .title = fmt::format("{}: {}", Describe(finding.configuration),
                                                  RateText(finding.rate()))});
    cores = std::max(cores, static_cast<double>(finding.cores()));
    rate = std::max({rate, finding.rate(), finding.estimate.high});
  };
  const std::vector<std::size_t> set = ParetoSet(report.findings);
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    if (report.findings[i].rungs > 0) {
      add(report.findings[i], std::find(set.begin(), set.end(), i) == set.end() ? all : best);
    }
  }
  for (bench::PlotSeries* series : {&all, &best}) {
    std::stable_sort(series->points.begin(), series->points.end(),
                     [](const auto& a, const auto& b) { return a.x < b.x; });
  }
  plot.x = bench::LinearAxis(cores);
  plot.y = bench::LinearAxis(rate);
  plot.series = {std::move(best), std::move(all)};
  return bench::LinePlot(plot);
}

std::string TimesPlot(const SearchReport& report) {
  bench::LinePlotSpec plot;
  plot.title = "Mean time of one execution by its batch";
  plot.x_name = "batch";
  double batch_max = 1, time_max = 1;
  int color = 0;
  for (const auto& [key, column] : report.times.columns()) {
    bench::PlotSeries series;
    series.name = (key.variant.empty() ? "" : key.variant + ", ") + Describe(key.shape);
    series.color = color++;
    for (const auto& [batch, sample] : column) {
      const double time = sample.mean / static_cast<double>(kMillisecond);
      series.points.push_back({.x = static_cast<double>(batch),
                               .y = time,
                               .low = time,
                               .high = time,
                               .title = fmt::format("batch {}: {:.2f} ms", batch, time)});
      batch_max = std::max(batch_max, static_cast<double>(batch));
      time_max = std::max(time_max, time);
    }
    plot.series.push_back(std::move(series));
  }
  plot.x = bench::LinearAxis(batch_max);
  plot.y = bench::LinearAxis(time_max);
  plot.limit = std::pair(static_cast<double>(report.target.sla) / static_cast<double>(kMillisecond),
                         std::string("SLA"));
  return bench::LinePlot(plot);
}

std::vector<std::string> SeriesNames(const SearchReport& report) {
  std::vector<std::string> names;
  for (const auto& [key, column] : report.times.columns()) {
    names.push_back((key.variant.empty() ? "" : key.variant + ", ") + Describe(key.shape));
  }
  return names;
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
    page.Legend(SeriesNames(report), true);
    page.Figures({{.caption = "one execution", .unit = "ms", .svg = TimesPlot(report)}});
  }
  page.Section("Left out");
  std::vector<std::vector<std::string>> rows;
  for (const Cut& cut : report.cuts) {
    rows.push_back({Escaped(cut.what), Escaped(cut.reason), std::string(CutRuleName(cut.rule)),
                    std::to_string(cut.count)});
  }
  page.Table({"what", "why", "rule", "#configurations"}, rows);
  return page.Text();
}

}  // namespace headrace::tune
