#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <vector>

namespace headrace::bench {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The continued fraction of the incomplete beta function, by Lentz's method.
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr double kPrecision = 1e-14;
  constexpr int kStepMax = 100'000;
  const auto kept_off_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1;
  double d = 1 / kept_off_zero(1 - (a + b) * x / (a + 1));
  double fraction = d;
  for (int step = 1; step <= kStepMax; ++step) {
    const double m = step;
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / kept_off_zero(1 + even * d);
    c = kept_off_zero(1 + even / c);
    fraction *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / kept_off_zero(1 + odd * d);
    c = kept_off_zero(1 + odd / c);
    fraction *= d * c;
    if (std::abs(d * c - 1) < kPrecision) {
      break;
    }
  }
  return fraction;
}

// std::lgamma writes a global; nobody here reads it, but two threads may be here.
double LogGamma(double value) {
  int sign = 0;
  return ::lgamma_r(value, &sign);
}

double RegularizedBeta(double a, double b, double x) {
  if (x <= 0) {
    return 0;
  }
  if (x >= 1) {
    return 1;
  }
  const double front =
      std::exp(LogGamma(a + b) - LogGamma(a) - LogGamma(b) + a * std::log(x) + b * std::log1p(-x));
  if (x < (a + 1) / (a + b + 2)) {
    return front * BetaFraction(a, b, x) / a;
  }
  return 1 - front * BetaFraction(b, a, 1 - x) / b;
}

// The smallest k in [0, n] with P(X <= k) >= probability.
std::uint64_t BinomialQuantile(std::uint64_t n, double p, double probability) {
  std::uint64_t low = 0;
  std::uint64_t high = n;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (BinomialAtMost(n, middle, p) >= probability) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// P(S >= s) of Mann-Kendall's sum for n values without ties, by counting permutations.
double ExactUpperTail(std::size_t n, std::int64_t s) {
  // Permutations of n by the number of pairs in falling order; S = pairs - 2 x falling.
  std::vector<double> by_inversions = {1};
  for (std::size_t size = 2; size <= n; ++size) {
    std::vector<double> next(by_inversions.size() + size - 1, 0);
    for (std::size_t had = 0; had < by_inversions.size(); ++had) {
      for (std::size_t added = 0; added < size; ++added) {
        next[had + added] += by_inversions[had];
      }
    }
    by_inversions = std::move(next);
  }
  const auto pairs = static_cast<std::int64_t>(n * (n - 1) / 2);
  double all = 0;
  double tail = 0;
  for (std::size_t inversions = 0; inversions < by_inversions.size(); ++inversions) {
    all += by_inversions[inversions];
    if (pairs - 2 * static_cast<std::int64_t>(inversions) >= s) {
      tail += by_inversions[inversions];
    }
  }
  return tail / all;
}

double NormalPValue(std::span<const double> values, std::int64_t s) {
  std::map<double, double> groups;
  for (const double value : values) {
    groups[value] += 1;
  }
  const auto n = static_cast<double>(values.size());
  double variance = n * (n - 1) * (2 * n + 5);
  for (const auto& [value, count] : groups) {
    variance -= count * (count - 1) * (2 * count + 5);
  }
  variance /= 18;
  if (variance <= 0) {
    return 1;
  }
  const double distance = std::max(0.0, std::abs(static_cast<double>(s)) - 1);
  return std::erfc(distance / std::sqrt(variance) / std::sqrt(2.0));
}

}  // namespace

double BinomialAtMost(std::uint64_t n, std::uint64_t k, double p) {
  if (k >= n) {
    return 1;
  }
  return RegularizedBeta(static_cast<double>(n - k), static_cast<double>(k) + 1, 1 - p);
}

RankInterval PercentileRanks(std::uint64_t n, double percentile, double confidence) {
  const double p = percentile / 100;
  const double tail = (1 - confidence) / 2;
  // X counts the samples below the percentile. The r-th sample is below it with P(X >= r).
  RankInterval ranks;
  ranks.low = BinomialQuantile(n, p, tail);  // P(X <= low - 1) < tail
  ranks.high = BinomialQuantile(n, p, 1 - tail) + 1;
  return ranks;
}

std::uint64_t PercentileRank(std::uint64_t n, double percentile) {
  // The subtracted part keeps 99 % of 100 from becoming 100 by rounding.
  const double exact = static_cast<double>(n) * percentile / 100;
  const auto rank = static_cast<std::uint64_t>(std::ceil(exact - 1e-9 * std::max(1.0, exact)));
  return std::clamp<std::uint64_t>(rank, 1, std::max<std::uint64_t>(n, 1));
}

std::uint64_t SamplesForPercentile(double percentile, double confidence) {
  const double p = percentile / 100;
  if (p <= 0 || p >= 1) {
    return p <= 0 ? 1 : UINT64_MAX;
  }
  return static_cast<std::uint64_t>(std::ceil(std::log((1 - confidence) / 2) / std::log(p)));
}

std::uint64_t EarlyStoppingCount(double percentile, std::uint64_t over, double confidence) {
  const double miss = 1 - percentile / 100;
  std::uint64_t high = over + 1;
  while (BinomialAtMost(high, over, miss) > 1 - confidence) {
    high *= 2;
  }
  std::uint64_t low = over + 1;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (BinomialAtMost(middle, over, miss) <= 1 - confidence) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

SlaDecision TestSla(std::uint64_t n, std::uint64_t over, double percentile, double confidence) {
  if (n == 0) {
    return SlaDecision::kUndecided;
  }
  const double miss = 1 - percentile / 100;
  if (BinomialAtMost(n, over, miss) <= 1 - confidence) {
    return SlaDecision::kMet;
  }
  const double at_least = over == 0 ? 1 : 1 - BinomialAtMost(n, over - 1, miss);
  return at_least <= 1 - confidence ? SlaDecision::kMissed : SlaDecision::kUndecided;
}

Trend MannKendall(std::span<const double> values) {
  Trend trend;
  const std::size_t n = values.size();
  if (n < 2) {
    return trend;
  }
  std::int64_t s = 0;
  bool ties = false;
  std::vector<double> slopes;
  slopes.reserve(n * (n - 1) / 2);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = i + 1; j < n; ++j) {
      s += (values[j] > values[i]) - (values[j] < values[i]);
      ties = ties || values[j] == values[i];
      slopes.push_back((values[j] - values[i]) / static_cast<double>(j - i));
    }
  }
  trend.slope = Median(slopes);
  if (n >= 4) {
    constexpr std::size_t kExactMax = 10;
    trend.p_value = n <= kExactMax && !ties ? std::min(1.0, 2 * ExactUpperTail(n, std::abs(s)))
                                            : NormalPValue(values, s);
  }
  return trend;
}

double TQuantile(double degrees_of_freedom, double confidence) {
  // P(|T| > t) = I(x; v/2, 1/2) with x = v / (v + t^2), which falls with t.
  double low = 0;
  double high = 1e6;
  for (int step = 0; step < 200; ++step) {
    const double t = (low + high) / 2;
    const double x = degrees_of_freedom / (degrees_of_freedom + t * t);
    if (RegularizedBeta(degrees_of_freedom / 2, 0.5, x) > 1 - confidence) {
      low = t;
    } else {
      high = t;
    }
  }
  return (low + high) / 2;
}

Estimate MeanInterval(std::span<const double> values, double confidence) {
  const auto n = static_cast<double>(values.size());
  if (values.empty()) {
    return {0, -kInfinity, kInfinity};
  }
  double mean = 0;
  for (const double value : values) {
    mean += value / n;
  }
  if (values.size() < 2) {
    return {mean, -kInfinity, kInfinity};
  }
  double squares = 0;
  for (const double value : values) {
    squares += (value - mean) * (value - mean);
  }
  const double error = std::sqrt(squares / (n - 1) / n);
  const double reach = TQuantile(n - 1, confidence) * error;
  return {mean, mean - reach, mean + reach};
}

Estimate LineSlope(std::span<const double> values, double confidence) {
  const auto n = static_cast<double>(values.size());
  if (values.size() < 2) {
    return {0, -kInfinity, kInfinity};
  }
  const double x_mean = (n - 1) / 2;
  double y_mean = 0;
  for (const double value : values) {
    y_mean += value / n;
  }
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = static_cast<double>(i) - x_mean;
    xx += x * x;
    xy += x * (values[i] - y_mean);
  }
  const double slope = xy / xx;
  if (values.size() < 3) {
    return {slope, -kInfinity, kInfinity};
  }
  double residual = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double off = values[i] - y_mean - slope * (static_cast<double>(i) - x_mean);
    residual += off * off;
  }
  const double reach = TQuantile(n - 2, confidence) * std::sqrt(residual / (n - 2) / xx);
  return {slope, slope - reach, slope + reach};
}

double Median(std::span<const double> values) {
  if (values.empty()) {
    return 0;
  }
  std::vector<double> sorted(values.begin(), values.end());
  const std::size_t middle = sorted.size() / 2;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(middle),
                   sorted.end());
  const double upper = sorted[middle];
  if (sorted.size() % 2 == 1) {
    return upper;
  }
  const double lower =
      *std::max_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(middle));
  return (lower + upper) / 2;
}

}  // namespace headrace::bench
