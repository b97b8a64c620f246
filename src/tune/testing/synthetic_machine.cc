#include "tune/testing/synthetic_machine.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/statistics.h"
#include "engine/simulator/load_simulation.h"

namespace headrace::tune {
namespace {

namespace simulator = engine::simulator;

constexpr Nanos kOverhead = 100 * kMicrosecond;
constexpr std::uint64_t kRequestsMax = 3000;  // of one probe

simulator::LoadFigures Run(const Configuration& configuration, double rate, double seconds,
                           std::uint64_t seed,
                           std::function<Nanos(std::int64_t, simulator::Random&)> time) {
  const double count = std::min<double>(rate * seconds, kRequestsMax);
  simulator::LoadScenario scenario;
  scenario.policy = {.dynamic = configuration.batch_max > 1,
                     .batch_size_max = configuration.batch_max,
                     .queue_delay_max = configuration.delay};
  scenario.instances = configuration.shape.instances;
  scenario.service_time = std::move(time);
  scenario.next_arrival = simulator::PoissonArrivals(
      rate, static_cast<Nanos>(count / rate * static_cast<double>(kSecond)), seed);
  scenario.added_latency = kOverhead;
  scenario.backlog_max = 3000;
  scenario.seed = seed * 77 + 1;
  return simulator::SimulateLoad(scenario);
}

}  // namespace

double SyntheticMachine::Execution(const Configuration& configuration, std::int64_t batch,
                                   int concurrent) const {
  const double threads = std::max(1, configuration.shape.threads);
  const auto variant = spec_.variant_factors.find(configuration.variant);
  double time = (spec_.tau_ms + spec_.alpha_ms * static_cast<double>(batch)) *
                static_cast<double>(kMillisecond);
  time *= spec_.serial_share + (1 - spec_.serial_share) / threads;
  time *= 1 + spec_.cost_of_others * (concurrent - 1);
  if (concurrent * threads > spec_.cores) {
    time *= spec_.oversubscribed * concurrent * threads / spec_.cores;
  }
  time *= batch >= spec_.cliff_batch ? spec_.cliff_factor : 1;
  return time * (variant == spec_.variant_factors.end() ? 1 : variant->second);
}

Status SyntheticMachine::Change(const Configuration& configuration) {
  if (!current_ || *current_ != configuration) {
    current_ = configuration;
    warm_.clear();
    now_ += static_cast<Nanos>(spec_.change_seconds * static_cast<double>(kSecond));
  }
  if (spec_.broken && spec_.broken(configuration)) {
    return Internal("the model does not load");
  }
  return OkStatus();
}

void SyntheticMachine::WarmUp(const Configuration& configuration, std::int64_t batch,
                              int concurrent) {
  if (warm_.insert(batch).second) {
    now_ +=
        static_cast<Nanos>(spec_.warm_up_executions * Execution(configuration, batch, concurrent));
  }
}

Result<ServiceSample> SyntheticMachine::Service(const Configuration& asked, std::int64_t batch,
                                                int concurrent, Nanos duration) {
  const Configuration& configuration = Resolve(asked);
  if (Status status = Change(configuration); !status.ok()) {
    return status;
  }
  WarmUp(configuration, batch, concurrent);
  const bool disturbed =
      now_ - kSecond < static_cast<Nanos>(spec_.disturbed_seconds * static_cast<double>(kSecond));
  now_ += duration;
  simulator::Random random(++seed_);
  const double base =
      Execution(configuration, batch, concurrent) * (disturbed ? spec_.disturbed_factor : 1);
  const int count = std::clamp(static_cast<int>(static_cast<double>(duration) / base), 3, 200);
  ServiceSample sample;
  sample.count = static_cast<std::uint64_t>(count);
  sample.overhead = kOverhead;
  for (int i = 0; i < count; ++i) {
    sample.quantiles.push_back(
        static_cast<Nanos>(base * (1 + spec_.jitter * (2 * random.Unit() - 1))));
    sample.mean += static_cast<double>(sample.quantiles.back()) / count;
  }
  std::sort(sample.quantiles.begin(), sample.quantiles.end());
  sample.rate =
      concurrent * static_cast<double>(batch) / sample.mean * static_cast<double>(kSecond);
  sample.memory_bytes =
      spec_.memory_each * static_cast<std::uint64_t>(configuration.shape.instances);
  return sample;
}

Result<LoadSample> SyntheticMachine::Load(const Configuration& asked, double rate, Nanos duration) {
  const Configuration& configuration = Resolve(asked);
  if (Status status = Change(configuration); !status.ok()) {
    return status;
  }
  now_ += duration;
  ++load_count_;
  const double seconds = static_cast<double>(duration) / static_cast<double>(kSecond);
  const int busy = configuration.shape.instances;
  const auto figures = Run(
      configuration, rate, seconds, ++seed_, [&](std::int64_t batch, simulator::Random& random) {
        return static_cast<Nanos>(Execution(configuration, batch, busy) * spec_.open_loop_factor *
                                  (1 + spec_.jitter * (2 * random.Unit() - 1)));
      });
  LoadSample sample{.rate = rate, .duration = duration, .requests = figures.arrived};
  const auto simulated =
      std::max(1e-9, static_cast<double>(figures.duration) / static_cast<double>(kSecond));
  sample.achieved = static_cast<double>(figures.latencies.size()) / simulated;
  const auto within =
      std::upper_bound(figures.latencies.begin(), figures.latencies.end(), target_.sla) -
      figures.latencies.begin();
  sample.goodput = rate * static_cast<double>(within) /
                   static_cast<double>(std::max<std::uint64_t>(1, figures.arrived));
  sample.latency = figures.Percentile(target_.percentile);
  const auto ranks = bench::PercentileRanks(figures.arrived, target_.percentile);
  const auto at = [&](std::uint64_t place) {
    return place == 0                         ? Nanos{0}
           : place > figures.latencies.size() ? kNever
                                              : figures.latencies[place - 1];
  };
  sample.latency_low = at(ranks.low);
  sample.latency_high = at(ranks.high);
  sample.backlog = figures.overrun || sample.achieved < 0.9 * rate;
  sample.batch_mean = figures.batch_mean();
  return sample;
}

Result<CapacitySample> SyntheticMachine::Capacity(const Configuration& asked, double rate_start,
                                                  double precision, Nanos time) {
  CapacitySample capacity;
  double rate = rate_start > 0 ? rate_start : 10;
  const Nanos each = time / 8;
  const Nanos end = now_ + time;
  while (now_ + each <= end || capacity.probes == 0) {
    auto sample = Load(asked, rate, each);
    if (!sample.ok()) {
      return sample.status();
    }
    ++capacity.probes;
    if (sample->latency <= target_.sla) {
      capacity.rate = std::max(capacity.rate, rate);
      capacity.at_rate = *sample;
    } else {
      capacity.rate_missed =
          capacity.rate_missed == 0 ? rate : std::min(capacity.rate_missed, rate);
    }
    if (capacity.rate_missed == 0) {
      rate *= rate_start > 0 ? 1.1 : 2;
    } else if (capacity.rate == 0) {
      rate /= rate_start > 0 ? 1.1 : 2;
    } else if (capacity.rate_missed / capacity.rate > 1 + precision) {
      rate = std::sqrt(capacity.rate * capacity.rate_missed);
    } else {
      break;
    }
  }
  capacity.reason = "synthetic";
  return capacity;
}

double SyntheticMachine::TrueCapacity(const Configuration& configuration) const {
  const int busy = configuration.shape.instances;
  const auto meets = [&](double rate) {
    return Run(configuration, rate, 3000 / rate, 4711,
               [&](std::int64_t batch, simulator::Random& random) {
                 return static_cast<Nanos>(Execution(configuration, batch, busy) *
                                           spec_.open_loop_factor *
                                           (1 + spec_.jitter * (2 * random.Unit() - 1)));
               })
               .Percentile(target_.percentile) <= target_.sla;
  };
  if (spec_.broken && spec_.broken(configuration)) {
    return 0;
  }
  double low = 0.2, high = 1.5;
  if (!meets(low)) {
    return 0;
  }
  while (meets(high)) {
    low = high;
    high *= 1.5;
  }
  while (high / low > 1.01) {
    const double middle = std::sqrt(low * high);
    (meets(middle) ? low : high) = middle;
  }
  return low;
}

double SyntheticMachine::BestCapacity(const SearchSpace& space) const {
  std::vector<std::pair<double, Configuration>> all;
  for (const Configuration& configuration : space.All()) {
    double ceiling = 0;
    for (std::int64_t batch = 1; batch <= configuration.batch_max; ++batch) {
      ceiling =
          std::max(ceiling, configuration.shape.instances * static_cast<double>(batch) /
                                Execution(configuration, batch, configuration.shape.instances) *
                                static_cast<double>(kSecond) / spec_.open_loop_factor);
    }
    all.emplace_back(ceiling, configuration);
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  double best = 0;
  for (const auto& [ceiling, configuration] : all) {
    if (ceiling > best) {
      best = std::max(best, TrueCapacity(configuration));
    }
  }
  return best;
}

Nanos SyntheticMachine::GridTime(const SearchSpace& space, int probes, Nanos each) const {
  return static_cast<Nanos>(space.All().size()) *
         (probes * each + static_cast<Nanos>(spec_.change_seconds * static_cast<double>(kSecond)));
}

}  // namespace headrace::tune
