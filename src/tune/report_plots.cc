#include "tune/report_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/svg_plot.h"

namespace headrace::tune {
namespace {

using bench::Escaped;

constexpr double kMillisecondNs = static_cast<double>(kMillisecond);

std::string NameOf(const ServiceTimes::Key& key) {
  return (key.variant.empty() ? "" : key.variant + ", ") + Describe(key.shape);
}

// Cores and batches come in whole numbers.
bench::Axis WholeAxis(double max) {
  constexpr double kTicksMax = 5;
  return bench::LinearAxis(max, static_cast<int>(std::min(kTicksMax, std::ceil(max))));
}

// With the SLA where it lies within the plot: times that are far below it would all be one line.
bench::HtmlPage::Figure TimesFigure(const ServiceTimes& times, Nanos sla) {
  bench::LinePlotSpec plot;
  plot.title = "Mean time of one execution by its batch";
  plot.x_name = "batch";
  double batch_max = 1, time_max = 1;
  int color = 0;
  for (const auto& [key, column] : times.columns()) {
    bench::PlotSeries series;
    series.name = NameOf(key);
    series.color = color++;
    for (const auto& [batch, sample] : column) {
      const double time = sample.mean / kMillisecondNs;
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
  plot.x = WholeAxis(batch_max);
  plot.y = bench::LinearAxis(time_max);
  std::string caption = "one execution";
  if (const double limit = static_cast<double>(sla) / kMillisecondNs; limit <= plot.y.max) {
    plot.limit = std::pair(limit, std::string("SLA"));
  } else {
    caption += fmt::format("; the SLA, {}, is above the plot", DurationText(sla));
  }
  return {.caption = std::move(caption), .unit = "ms", .svg = bench::LinePlot(plot)};
}

}  // namespace

std::string RatePlot(std::string title,
                     std::vector<std::pair<std::string, std::vector<RatePoint>>> series) {
  bench::LinePlotSpec plot;
  plot.title = std::move(title);
  plot.x_name = "cores";
  double cores = 1, rate = 1;
  int color = 0;
  for (auto& [name, points] : series) {
    bench::PlotSeries drawn;
    drawn.name = name;
    drawn.color = color++;
    drawn.line = drawn.color == 0;
    for (const RatePoint& point : points) {
      const double x = point.configuration.shape.cores();
      drawn.points.push_back(
          {.x = x,
           .y = point.rate,
           .low = point.low,
           .high = point.high,
           .title = fmt::format("{}: {}", Describe(point.configuration), RateText(point.rate))});
      cores = std::max(cores, x);
      rate = std::max({rate, point.rate, point.high});
    }
    std::stable_sort(drawn.points.begin(), drawn.points.end(),
                     [](const auto& a, const auto& b) { return a.x < b.x; });
    plot.series.push_back(std::move(drawn));
  }
  plot.x = WholeAxis(cores);
  plot.y = bench::LinearAxis(rate);
  return bench::LinePlot(plot);
}

void AddServiceTimes(const ServiceTimes& times, Nanos sla, bench::HtmlPage& page) {
  std::vector<std::string> names;
  for (const auto& [key, column] : times.columns()) {
    names.push_back(NameOf(key));
  }
  page.Legend(names, true);
  page.Figures({TimesFigure(times, sla)});
}

void AddCuts(const std::vector<Cut>& cuts, bench::HtmlPage& page) {
  std::vector<std::vector<std::string>> rows;
  for (const Cut& cut : cuts) {
    rows.push_back({Escaped(cut.what), Escaped(cut.reason), std::string(CutRuleName(cut.rule)),
                    std::to_string(cut.count)});
  }
  page.Table({"what", "why", "rule", "#configurations"}, rows);
}

}  // namespace headrace::tune
