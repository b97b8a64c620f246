#include "base/duration_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace headrace {

std::string DurationText(double nanoseconds, int digits) {
  if (!std::isfinite(nanoseconds) || nanoseconds >= 9e18) {
    return "never";
  }
  constexpr struct {
    double unit;
    const char* name;
  } kUnits[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
  // What is less than half of the last digit below a power of ten is rounded up to it.
  const double nearly = 1 - 0.5 * std::pow(10, -digits);
  for (const auto& [unit, name] : kUnits) {
    const double value = nanoseconds / unit;
    if (std::abs(value) < nearly && unit != 1) {
      continue;
    }
    int decimals = unit == 1 ? 0 : std::max(digits - 1, 0);
    for (double limit = 10; decimals > 0 && std::abs(value) >= limit * nearly; limit *= 10) {
      --decimals;
    }
    return fmt::format("{:.{}f} {}", value, decimals, name);
  }
  return "0 ns";
}

std::string DurationText(Nanos time, int digits) {
  return DurationText(static_cast<double>(time), digits);
}

}  // namespace headrace
