// The Universal Scalability Law: X(n) = x1 n / (1 + sigma (n - 1) + kappa n (n - 1)).
#ifndef HEADRACE_TUNE_USL_H_
#define HEADRACE_TUNE_USL_H_

#include <span>

namespace headrace::tune {

struct UslPoint {
  double n = 1;
  double throughput = 0;
};

struct Usl {
  double x1 = 0;     // throughput of one
  double sigma = 0;  // what cannot be done side by side
  double kappa = 0;  // what each costs each other one

  double At(double n) const { return x1 * n / (1 + sigma * (n - 1) + kappa * n * (n - 1)); }
  // Where the throughput is highest; +inf when it never falls.
  double Peak() const;
};

// Least squares of n x1 / X(n) - 1, both coefficients at least 0. Needs the point n = 1; with it
// alone there is no loss. x1 = 0: there was no such point.
Usl FitUsl(std::span<const UslPoint> points);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_USL_H_
