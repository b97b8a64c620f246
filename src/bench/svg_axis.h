// Axes of plots: where a value lies, and what stands at the ticks. Pure.
#ifndef HEADRACE_BENCH_SVG_AXIS_H_
#define HEADRACE_BENCH_SVG_AXIS_H_

#include <string>
#include <string_view>
#include <vector>

namespace headrace::bench {

struct Axis {
  double min = 0, max = 1;
  bool logarithmic = false;
  std::vector<double> ticks;  // ascending, within min and max

  // 0 at min, 1 at max; what lies outside is clipped to them.
  double At(double value) const;
};

// From 0 to a round number at or above `max`, with round ticks (1, 2 or 5 times a power of ten).
Axis LinearAxis(double max, int ticks_wanted = 5);
// Powers of ten between, where few, with 2 and 5 times them. `min` and `max` are above 0.
Axis LogAxis(double min, double max);
// The latter where the values spread over more than a factor `spread_max`, else the former.
Axis AxisFor(const std::vector<double>& values, double spread_max);
// One tick for each value: few loads, each of them of interest. At equal steps in its logarithm.
Axis ValuesAxis(std::vector<double> values);

// "1,234", "12.3", "0.045": three significant digits, thousands with commas, no unit.
std::string FigureText(double value);
// "12.3 ms", "456 us", "1.5 s".
std::string DurationText(double nanos);

// Text for HTML and SVG, in elements and quoted attributes.
std::string Escaped(std::string_view text);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SVG_AXIS_H_
