// Plots as SVG text that takes its colours from the page (classes c0 to c7). Pure.
#ifndef HEADRACE_BENCH_SVG_PLOT_H_
#define HEADRACE_BENCH_SVG_PLOT_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/svg_axis.h"

namespace headrace::bench {

inline constexpr int kPlotColorCount = 8;

struct PlotPoint {
  double x = 0, y = 0;
  double low = 0, high = 0;  // of the interval; equal = none is drawn
  std::string title;         // shown by the pointer, read by screen readers
};

struct PlotSeries {
  std::string name;
  int color = 0;        // index; beyond the colours they begin again, dashed
  bool markers = true;  // their form tells series apart without colour
  bool line = true;     // from point to point; without it they are a cloud
  bool steps = false;   // the value holds until the next x
  std::vector<PlotPoint> points;
};

struct LinePlotSpec {
  std::string title;  // what is seen in it, in one sentence: for screen readers
  std::string x_name;
  Axis x, y;
  std::vector<std::string> x_tick_texts;  // in place of numbers; as many as x.ticks
  std::vector<PlotSeries> series;
  // A level that is not to be passed, with its name.
  std::optional<std::pair<double, std::string>> limit;
  int width = 560, height = 300;
};
std::string LinePlot(const LinePlotSpec& spec);

// Bars of parts, one row each. `values[i][k]`: part k of row i.
struct StackedBarsSpec {
  std::string title, x_name;
  std::vector<std::string> rows;
  std::vector<std::string> parts;  // by colour
  std::vector<std::vector<double>> values;
  std::vector<std::string> row_titles;  // for the pointer; empty or one for each row
  std::vector<std::string> row_ends;    // behind each bar
  int width = 560;
};
std::string StackedBars(const StackedBarsSpec& spec);

// Upright bars, one for each name.
struct ColumnsSpec {
  std::string title, x_name;
  std::vector<std::string> names;
  std::vector<double> values;
  std::vector<std::string> titles;
  int color = 0;
  int width = 560, height = 220;
};
std::string Columns(const ColumnsSpec& spec);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SVG_PLOT_H_
