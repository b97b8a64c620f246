#include "tune/service_fit.h"

#include <algorithm>
#include <cmath>

namespace headrace::tune {

ServiceFit FitService(const std::map<std::int64_t, double>& times_by_batch) {
  ServiceFit fit;
  // Weights 1 / s^2: relative errors count.
  double w = 0, wb = 0, wbb = 0, ws = 0, wbs = 0;
  for (const auto& [batch, time] : times_by_batch) {
    if (time <= 0) {
      continue;
    }
    const double weight = 1 / (time * time), b = static_cast<double>(batch);
    w += weight;
    wb += weight * b;
    wbb += weight * b * b;
    ws += weight * time;
    wbs += weight * b * time;
  }
  if (w == 0) {
    return fit;
  }
  const double determinant = w * wbb - wb * wb;
  if (determinant > 1e-12 * w * wbb) {
    fit.alpha = (w * wbs - wb * ws) / determinant;
    fit.tau = (ws - fit.alpha * wb) / w;
  }
  if (determinant <= 1e-12 * w * wbb || fit.tau < 0) {
    fit.tau = 0;
    fit.alpha = wbs / wbb;
  } else if (fit.alpha < 0) {
    fit.alpha = 0;
    fit.tau = ws / w;
  }
  for (const auto& [batch, time] : times_by_batch) {
    if (time > 0) {
      fit.error_max =
          std::max(fit.error_max, std::abs(fit.At(static_cast<double>(batch)) - time) / time);
    }
  }
  return fit;
}

}  // namespace headrace::tune
