#include "tune/prober.h"

#include <algorithm>
#include <cmath>

namespace headrace::tune {

Nanos ServiceSample::Quantile(double part) const {
  if (quantiles.empty()) {
    return 0;
  }
  const double place = std::clamp(part, 0.0, 1.0) * static_cast<double>(quantiles.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, quantiles.size() - 1);
  const double rest = place - static_cast<double>(below);
  return static_cast<Nanos>(std::llround(static_cast<double>(quantiles[below]) * (1 - rest) +
                                         static_cast<double>(quantiles[above]) * rest));
}

}  // namespace headrace::tune
