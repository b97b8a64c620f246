#include "tune/bootstrap.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "bench/statistics.h"
#include "engine/simulator/random.h"

namespace headrace::tune {
namespace {

constexpr std::size_t kResamples = 1000;

std::vector<double> Resample(std::span<const double> values, engine::simulator::Random& random) {
  std::vector<double> drawn;
  for (std::size_t i = 0; i < values.size(); ++i) {
    drawn.push_back(values[random.Next() % values.size()]);
  }
  return drawn;
}

bench::Estimate Interval(double value, std::vector<double> resampled) {
  std::sort(resampled.begin(), resampled.end());
  return {.value = value,
          .low = resampled[resampled.size() * 25 / 1000],
          .high = resampled[resampled.size() * 975 / 1000 - 1]};
}

}  // namespace

bench::Estimate BootstrapMedian(std::span<const double> values, std::uint64_t seed) {
  if (values.empty()) {
    return {};
  }
  engine::simulator::Random random(seed);
  std::vector<double> resampled;
  for (std::size_t i = 0; i < kResamples; ++i) {
    resampled.push_back(bench::Median(Resample(values, random)));
  }
  return Interval(bench::Median(values), std::move(resampled));
}

bench::Estimate BootstrapRatio(std::span<const double> a, std::span<const double> b,
                               std::uint64_t seed) {
  engine::simulator::Random random(seed);
  std::vector<double> resampled;
  for (std::size_t i = 0; i < kResamples; ++i) {
    resampled.push_back(bench::Median(Resample(a, random)) / bench::Median(Resample(b, random)));
  }
  return Interval(bench::Median(a) / bench::Median(b), std::move(resampled));
}

}  // namespace headrace::tune
