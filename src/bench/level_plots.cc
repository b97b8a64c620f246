#include "bench/level_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace headrace::bench {
namespace {

constexpr double kNanosPerMs = 1e6;

double Ms(double nanos) { return nanos / kNanosPerMs; }

// Nines: 50 % -> 0.3, 90 % -> 1, 99 % -> 2.
double Nines(double percentile) { return -std::log10(1 - percentile / 100); }

struct Curve {
  const char* name;
  int color;
  std::function<double(const Second&)> value;
};

std::string SecondsPlot(const LevelResult& level, const std::vector<Curve>& curves,
                        const std::string& title) {
  LinePlotSpec spec;
  spec.title = title;
  spec.x_name = "second of the measured phase";
  spec.height = 220;
  std::vector<double> values;
  for (const Curve& curve : curves) {
    PlotSeries series;
    series.name = curve.name;
    series.color = curve.color;
    series.markers = level.seconds.size() <= 15;
    for (std::size_t i = 0; i < level.seconds.size(); ++i) {
      const double value = curve.value(level.seconds[i]);
      series.points.push_back(
          {static_cast<double>(i + 1), value, 0, 0,
           fmt::format("second {}: {} {}", i + 1, curve.name, FigureText(value))});
      if (std::isfinite(value)) {
        values.push_back(value);
      }
    }
    spec.series.push_back(std::move(series));
  }
  spec.x = LinearAxis(static_cast<double>(std::max<std::size_t>(1, level.seconds.size())));
  spec.y = AxisFor(values, 200);
  return LinePlot(spec);
}

}  // namespace

std::string PlotAgainstLoad(const std::vector<LevelResult>& levels, const ReportLines& lines,
                            const AgainstLoad& what) {
  LinePlotSpec spec;
  spec.title = fmt::format("{} against {}", what.what, lines.x_name);
  spec.x_name = lines.x_name;
  spec.limit = what.limit;
  std::vector<double> xs, ys;
  for (std::size_t i = 0; i < lines.series.size(); ++i) {
    PlotSeries series;
    series.name = lines.series[i].name;
    series.color = static_cast<int>(i);
    for (const ReportSeries::Point& point : lines.series[i].points) {
      Estimate all{0, std::numeric_limits<double>::infinity(), 0};
      for (const std::size_t index : point.levels) {
        const Estimate one = what.value(levels[index]);
        all.value += one.value / static_cast<double>(point.levels.size());
        const bool alone = point.levels.size() == 1;
        all.low = std::min(all.low, alone ? one.low : one.value);
        all.high = std::max(all.high, alone ? one.high : one.value);
      }
      const std::string title =
          fmt::format("{}{}{} at {}", series.name, series.name.empty() ? "" : ": ",
                      what.text(all.value), FigureText(point.x));
      series.points.push_back({point.x, all.value, all.low, all.high, title});
      xs.push_back(point.x);
      if (std::isfinite(all.value)) {
        ys.push_back(all.value);
        ys.push_back(std::isfinite(all.high) ? all.high : all.value);
      }
    }
    spec.series.push_back(std::move(series));
  }
  if (what.limit && !ys.empty()) {
    // A limit far above all of it would press the lines to the floor.
    const double highest = *std::max_element(ys.begin(), ys.end());
    if (what.limit->first <= highest * 5) {
      ys.push_back(what.limit->first);
    } else {
      spec.limit.reset();
    }
  }
  const bool from_zero = std::any_of(xs.begin(), xs.end(), [](double x) { return x <= 0; });
  spec.x = from_zero ? LinearAxis(xs.empty() ? 1 : *std::max_element(xs.begin(), xs.end()))
                     : ValuesAxis(xs);
  spec.y = AxisFor(ys, what.spread_max);
  return LinePlot(spec);
}

std::string PercentilePlot(const std::vector<const LevelResult*>& levels,
                           const std::vector<std::string>& names) {
  LinePlotSpec spec;
  spec.title = "response time at each percentile";
  spec.x_name = "percentile of requests";
  double highest = 1;
  std::vector<double> values;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const LatencyFigures& figures = levels[i]->response_time;
    PlotSeries series;
    series.name = names[i];
    series.color = static_cast<int>(i);
    series.markers = false;
    // As far as the sample goes: of 1,000 requests the last tenth of a percent is one request.
    const double last = figures.count() == 0 ? 0 : std::log10(static_cast<double>(figures.count()));
    for (double nines = 0; nines <= last + 1e-9; nines += 0.05) {
      const double percentile = 100 * (1 - std::pow(10, -nines));
      const double value = figures.Percentile(percentile).value;
      series.points.push_back({nines, Ms(value), 0, 0, ""});
      if (std::isfinite(value) && value > 0) {
        values.push_back(Ms(value));
      }
    }
    highest = std::max(highest, last);
    spec.series.push_back(std::move(series));
  }
  spec.x.min = 0;
  spec.x.max = highest;
  for (const double percentile : {0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999}) {
    if (Nines(percentile) <= highest + 1e-9) {
      spec.x.ticks.push_back(Nines(percentile));
      spec.x_tick_texts.push_back(percentile == 0 ? "min" : fmt::format("p{}", percentile));
    }
  }
  spec.y = AxisFor(values, 30);
  return LinePlot(spec);
}

std::string SecondsOfRates(const LevelResult& level) {
  // Part of a second counts as what it would be as a whole one in no case: the last is left as it
  // is.
  return SecondsPlot(
      level,
      {{"arrived", 7, [](const Second& second) { return static_cast<double>(second.arrived); }},
       {"answered", 0, [](const Second& second) { return static_cast<double>(second.done); }},
       {"failed", 3, [](const Second& second) { return static_cast<double>(second.failed); }}},
      "requests in each second: arrived, answered, failed");
}

std::string SecondsOfLatencies(const LevelResult& level) {
  const auto ms = [](Nanos nanos) {
    return nanos == kNever ? std::numeric_limits<double>::infinity()
                           : Ms(static_cast<double>(nanos));
  };
  return SecondsPlot(level,
                     {{"p50", 0, [&](const Second& second) { return ms(second.p50); }},
                      {"p99", 1, [&](const Second& second) { return ms(second.p99); }}},
                     "response time in each second: p50 and p99");
}

const ServerFigures* ServerOf(const LevelResult& level) {
  const ServerFigures* found = nullptr;
  for (const auto& [name, figures] : level.server) {
    // An ensemble's own requests take longer than those of its steps.
    if (figures.success_count > 0 &&
        (found == nullptr || figures.request_mean > found->request_mean)) {
      found = &figures;
    }
  }
  return found;
}

std::vector<std::string> BreakdownParts() {
  return {"late send", "network and client", "queue", "input", "compute", "output"};
}

std::vector<double> Breakdown(const LevelResult& level) {
  const ServerFigures* server = ServerOf(level);
  const double service = level.service_time.mean;
  const double late = std::max(0.0, level.response_time.mean - service);
  if (server == nullptr) {
    return {Ms(late), Ms(service), 0, 0, 0, 0};
  }
  const double parts = server->queue_mean + server->compute_input_mean +
                       server->compute_infer_mean + server->compute_output_mean;
  return {Ms(late),
          Ms(std::max(0.0, service - parts)),
          Ms(server->queue_mean),
          Ms(server->compute_input_mean),
          Ms(server->compute_infer_mean),
          Ms(server->compute_output_mean)};
}

std::string BatchPlot(const LevelResult& level) {
  const ServerFigures* server = ServerOf(level);
  if (server == nullptr || server->batches.empty()) {
    return "";
  }
  ColumnsSpec spec;
  spec.title = "share of executions by batch size";
  spec.x_name = "batch size";
  double all = 0;
  for (const auto& [size, count] : server->batches) {
    all += static_cast<double>(count);
  }
  for (const auto& [size, count] : server->batches) {
    const double share = all == 0 ? 0 : 100 * static_cast<double>(count) / all;
    spec.names.push_back(std::to_string(size));
    spec.values.push_back(share);
    spec.titles.push_back(fmt::format("batch {}: {} executions, {} %", size,
                                      FigureText(static_cast<double>(count)), FigureText(share)));
  }
  spec.color = 2;
  return Columns(spec);
}

}  // namespace headrace::bench
