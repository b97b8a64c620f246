// Intervals by resampling.
#ifndef HEADRACE_TUNE_BOOTSTRAP_H_
#define HEADRACE_TUNE_BOOTSTRAP_H_

#include <cstdint>
#include <span>

#include "bench/level.h"

namespace headrace::tune {

// The median with its 95 % percentile interval. One value: the interval is that value.
bench::Estimate BootstrapMedian(std::span<const double> values, std::uint64_t seed);
// median(a) / median(b), the same. Neither may be empty, and b's values must be above 0.
bench::Estimate BootstrapRatio(std::span<const double> a, std::span<const double> b,
                               std::uint64_t seed);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_BOOTSTRAP_H_
