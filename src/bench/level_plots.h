// The plots of a report, made of levels. Pure; for html_report.cc.
#ifndef HEADRACE_BENCH_LEVEL_PLOTS_H_
#define HEADRACE_BENCH_LEVEL_PLOTS_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/level.h"
#include "bench/report_series.h"
#include "bench/svg_plot.h"

namespace headrace::bench {

// A figure of levels against the axis of `lines`; rounds become their mean, with whiskers from the
// lowest to the highest. `limit`: a dashed line.
struct AgainstLoad {
  std::string what;  // "throughput", for screen readers
  std::function<Estimate(const LevelResult&)> value;
  std::function<std::string(double)> text;
  std::optional<std::pair<double, std::string>> limit;
  double spread_max = 50;  // beyond it the y axis is logarithmic
};
std::string PlotAgainstLoad(const std::vector<LevelResult>& levels, const ReportLines& lines,
                            const AgainstLoad& spec);

// Latency over percentiles, the axis stretched towards 100 %.
std::string PercentilePlot(const std::vector<const LevelResult*>& levels,
                           const std::vector<std::string>& names);

// The seconds of one level.
std::string SecondsOfRates(const LevelResult& level);      // arrived, answered, failed
std::string SecondsOfLatencies(const LevelResult& level);  // p50, p99

// The server's figures of the model that the level asked; null where they are not known.
const ServerFigures* ServerOf(const LevelResult& level);
// Where the mean response time goes, in milliseconds; as many as BreakdownParts().
std::vector<std::string> BreakdownParts();
std::vector<double> Breakdown(const LevelResult& level);
// The share of executions by batch size.
std::string BatchPlot(const LevelResult& level);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_LEVEL_PLOTS_H_
