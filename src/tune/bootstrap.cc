#include "tune/bootstrap.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "engine/simulator/random.h"

namespace headrace::tune {
namespace {

constexpr std::size_t kResamples = 1000;

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

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
    resampled.push_back(Median(Resample(values, random)));
  }
  return Interval(Median({values.begin(), values.end()}), std::move(resampled));
}

bench::Estimate BootstrapRatio(std::span<const double> a, std::span<const double> b,
                               std::uint64_t seed) {
  engine::simulator::Random random(seed);
  std::vector<double> resampled;
  for (std::size_t i = 0; i < kResamples; ++i) {
    resampled.push_back(Median(Resample(a, random)) / Median(Resample(b, random)));
  }
  return Interval(Median({a.begin(), a.end()}) / Median({b.begin(), b.end()}),
                  std::move(resampled));
}

}  // namespace headrace::tune
