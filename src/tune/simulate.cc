#include "tune/simulate.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace headrace::tune {
namespace {

namespace simulator = engine::simulator;

// The gaps again and again, their mean stretched to 1 / rate.
std::function<Nanos()> Replay(const std::vector<Nanos>& intervals, double rate, Nanos end) {
  double sum = 0;
  for (const Nanos gap : intervals) {
    sum += static_cast<double>(gap);
  }
  const double mean = sum / static_cast<double>(intervals.size());
  const double scale = mean > 0 ? static_cast<double>(kSecond) / rate / mean : 1;
  return [&intervals, scale, end, at = std::size_t{0}, time = 0.0]() mutable -> Nanos {
    time += static_cast<double>(intervals[at++ % intervals.size()]) * scale;
    return time < static_cast<double>(end) ? static_cast<Nanos>(time) : kNever;
  };
}

}  // namespace

simulator::LoadFigures Simulator::Load(const Configuration& configuration, double rate,
                                       double factor, std::uint64_t requests) const {
  const ServiceTimes::Key key{configuration.variant, configuration.shape};
  const double count = static_cast<double>(requests == 0 ? plan_.requests : requests);
  const auto end = static_cast<Nanos>(count / rate * static_cast<double>(kSecond));
  const ServiceSample* one = times_.Find(key, 1);
  simulator::LoadScenario scenario;
  scenario.policy = {.dynamic = configuration.batch_max > 1,
                     .batch_size_max = configuration.batch_max,
                     .queue_delay_max = configuration.delay};
  scenario.instances = configuration.shape.instances;
  scenario.ahead = plan_.ahead;
  scenario.service_time = times_.Sampler(key, factor);
  scenario.next_arrival = plan_.intervals.empty()
                              ? simulator::PoissonArrivals(rate, end, plan_.seed)
                              : Replay(plan_.intervals, rate, end);
  scenario.added_latency = one == nullptr ? 0 : one->overhead;
  scenario.seed = plan_.seed + 1;
  return simulator::SimulateLoad(scenario);
}

double Simulator::Capacity(const Configuration& configuration, double factor,
                           double precision) const {
  return CapacityWithin(configuration, plan_.target.sla, factor, precision);
}

double Simulator::CapacityWithin(const Configuration& configuration, Nanos sla, double factor,
                                 double precision) const {
  const double ceiling =
      times_.Ceiling({configuration.variant, configuration.shape}, configuration.batch_max) /
      factor;
  const auto meets = [&](double rate) {
    return Load(configuration, rate, factor).Percentile(plan_.target.percentile) <= sla;
  };
  if (ceiling <= 0) {
    return 0;
  }
  double high = ceiling * 1.02, low = ceiling / 2;
  // Downwards until one meets it; below a hundredth of the ceiling there is nothing to be had.
  while (!meets(low)) {
    high = low;
    low /= 2;
    if (low < ceiling / 128) {
      return 0;
    }
  }
  while (high / low > precision) {
    const double middle = std::sqrt(low * high);
    (meets(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace headrace::tune
