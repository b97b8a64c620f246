// Levels of a result as lines of a plot: which of their differences is the x axis. Pure.
#ifndef HEADRACE_BENCH_REPORT_SERIES_H_
#define HEADRACE_BENCH_REPORT_SERIES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "bench/level.h"

namespace headrace::bench {

// Levels that differ in nothing but their round stand at one x; lines join those that differ in x
// alone.
struct ReportSeries {
  struct Point {
    double x = 0;
    std::vector<std::size_t> levels;  // indices into the document's; more than one = rounds
  };
  std::string name;           // what its levels have in common that others have not; "" = all
  std::vector<Point> points;  // by x
};

struct ReportLines {
  std::string
      x_name;  // "offered load, requests/s", "requests at a time (closed loop)", "max batch"
  std::vector<ReportSeries> series;
};

// Open and closed loops have no axis in common, so there is one set of lines for each. The axis is
// the load where that varies within a series; else the label of numbers with most values. A set
// without any is not there.
std::vector<ReportLines> LinesOf(const std::vector<LevelResult>& levels);

// What tells a level from the others: "batch 8, instances 2, poisson 50/s". Labels that all levels
// share are left out; never empty.
std::vector<std::string> LevelNames(const std::vector<LevelResult>& levels);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_REPORT_SERIES_H_
