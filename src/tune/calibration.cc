#include "tune/calibration.h"

#include <algorithm>
#include <cmath>

namespace headrace::tune {
namespace {

// The closed loop keeps the instances as busy as an open one can, so that executions are seldom
// shorter than it says: where others used the machine while it ran.
constexpr double kFactorMin = 0.5, kFactorMax = 8;

double FactorBetween(const Simulator& simulator, const Configuration& configuration,
                     const LoadSample& sample, Nanos latency, double low, double high,
                     double step) {
  // As many as were sent, so that a short probe is read as one; more than twice the plan's say the
  // same.
  const auto requests =
      std::clamp<std::uint64_t>(sample.requests, 50, 2 * simulator.plan().requests);
  while (high / low > step) {
    const double middle = std::sqrt(low * high);
    const Nanos simulated = simulator.Load(configuration, sample.rate, middle, requests)
                                .Percentile(simulator.plan().target.percentile);
    (simulated <= latency ? low : high) = middle;
  }
  return std::sqrt(low * high);
}

}  // namespace

CapacityEstimate Calibrate(const Simulator& simulator, const Configuration& configuration,
                           const LoadSample& sample) {
  const Target& target = simulator.plan().target;
  if (sample.latency == kNever || sample.backlog || sample.latency > 4 * target.sla) {
    // Its queue was never empty, so what it achieved is its ceiling, and that gives the factor.
    const double ceiling = simulator.times().Ceiling({configuration.variant, configuration.shape},
                                                     configuration.batch_max);
    CapacityEstimate estimate;
    estimate.factor = sample.achieved > 0
                          ? std::clamp(ceiling / sample.achieved, kFactorMin, kFactorMax)
                          : kFactorMax;
    estimate.value = std::min(simulator.Capacity(configuration, estimate.factor), sample.achieved);
    estimate.low = 0.8 * estimate.value;
    estimate.high = std::min(sample.rate, std::max(sample.achieved, estimate.value));
    return estimate;
  }
  CapacityEstimate estimate;
  estimate.factor = FactorBetween(simulator, configuration, sample, sample.latency, kFactorMin,
                                  kFactorMax, 1.015);
  estimate.value = simulator.Capacity(configuration, estimate.factor);
  // The ends need not be as fine.
  const double fast = FactorBetween(simulator, configuration, sample, sample.latency_low,
                                    estimate.factor / 2, estimate.factor, 1.04);
  const double slow = sample.latency_high == kNever
                          ? estimate.factor * 1.3
                          : FactorBetween(simulator, configuration, sample, sample.latency_high,
                                          estimate.factor, estimate.factor * 2, 1.04);
  estimate.high = std::max(estimate.value, simulator.Capacity(configuration, fast, 1.05));
  estimate.low = std::min(estimate.value, simulator.Capacity(configuration, slow, 1.05));
  // What was seen is seen: a load that met the SLA with certainty is no higher than the capacity.
  if (sample.latency_high <= target.sla) {
    estimate.value = std::max(estimate.value, sample.rate);
    estimate.low = std::max(estimate.low, 0.98 * sample.rate);
    estimate.high = std::max(estimate.high, estimate.value);
  }
  return estimate;
}

}  // namespace headrace::tune
