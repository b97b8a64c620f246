#include "tune/usl.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace headrace::tune {

double Usl::Peak() const {
  if (sigma > 1 || (sigma == 1 && kappa > 0)) {
    return 1;  // each one more takes away from the others
  }
  return kappa > 0 ? std::sqrt((1 - sigma) / kappa) : std::numeric_limits<double>::infinity();
}

Usl FitUsl(std::span<const UslPoint> points) {
  Usl usl;
  for (const UslPoint& point : points) {
    if (point.n == 1) {
      usl.x1 = point.throughput;
    }
  }
  if (usl.x1 <= 0) {
    return usl;
  }
  // y = sigma a + kappa b.
  double aa = 0, ab = 0, bb = 0, ay = 0, by = 0;
  for (const UslPoint& point : points) {
    if (point.n <= 1 || point.throughput <= 0) {
      continue;
    }
    const double a = point.n - 1, b = point.n * (point.n - 1);
    const double y = point.n * usl.x1 / point.throughput - 1;
    aa += a * a;
    ab += a * b;
    bb += b * b;
    ay += a * y;
    by += b * y;
  }
  const double determinant = aa * bb - ab * ab;
  if (determinant > 1e-9 * aa * bb) {
    usl.sigma = (ay * bb - by * ab) / determinant;
    usl.kappa = (by * aa - ay * ab) / determinant;
  }
  if (determinant <= 1e-9 * aa * bb || usl.kappa < 0) {  // one point, or no falling off
    usl.kappa = 0;
    usl.sigma = aa > 0 ? ay / aa : 0;
  } else if (usl.sigma < 0) {
    usl.sigma = 0;
    usl.kappa = by / bb;
  }
  usl.sigma = std::max(0.0, usl.sigma);
  usl.kappa = std::max(0.0, usl.kappa);
  return usl;
}

}  // namespace headrace::tune
