// The statistics behind verdicts and stop rules: pure functions of numbers.
#ifndef HEADRACE_BENCH_STATISTICS_H_
#define HEADRACE_BENCH_STATISTICS_H_

#include <cstdint>
#include <span>

#include "bench/level.h"

namespace headrace::bench {

// P(X <= k) of a binomial X of n trials with probability p. Exact (incomplete beta function).
double BinomialAtMost(std::uint64_t n, std::uint64_t k, double p);

// Order statistics, from 1, between which the percentile of the population lies.
struct RankInterval {
  std::uint64_t low = 0;   // 0: the sample is too small to bound it from below
  std::uint64_t high = 0;  // n + 1: too small to bound it from above
};
// `percentile` in 0..100. Equal tails.
RankInterval PercentileRanks(std::uint64_t n, double percentile, double confidence = 0.95);
// The rank of the point estimate: the smallest sample that `percentile` of all do not exceed.
std::uint64_t PercentileRank(std::uint64_t n, double percentile);
// The fewest samples whose largest one bounds the percentile from above: 368 for p99 at 95 %.
std::uint64_t SamplesForPercentile(double percentile, double confidence = 0.95);

// MLPerf LoadGen's early stopping: how many requests are needed in all when `over` of them were
// above the bound, to say that the percentile is within it.
std::uint64_t EarlyStoppingCount(double percentile, std::uint64_t over, double confidence = 0.99);

enum class SlaDecision : std::uint8_t { kUndecided, kMet, kMissed };
// The same test as a decision in both directions: `over` of `n` were above the bound.
SlaDecision TestSla(std::uint64_t n, std::uint64_t over, double percentile,
                    double confidence = 0.99);

// A trend over equal steps. Mann-Kendall: exact for up to 10 values without ties, else normal with
// the correction for ties. `slope` is Theil and Sen's, per step.
struct Trend {
  double p_value = 1;  // of no trend, two-sided; 1 for fewer than four values
  double slope = 0;
};
Trend MannKendall(std::span<const double> values);

// The two-sided quantile of Student's t: TQuantile(9, 0.95) = 2.262.
double TQuantile(double degrees_of_freedom, double confidence);
// Mean of the values with its t interval. Fewer than two values: the interval is unbounded.
Estimate MeanInterval(std::span<const double> values, double confidence = 0.95);

// Slope of a least-squares line through values at equal steps, with its t interval.
Estimate LineSlope(std::span<const double> values, double confidence = 0.95);

double Median(std::span<const double> values);  // 0 when empty

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_STATISTICS_H_
