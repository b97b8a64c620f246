#include "tune/service_times.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace headrace::tune {
namespace {

Nanos Draw(const ServiceTimes::Column& column, const ServiceFit& fit, double factor,
           std::int64_t batch, engine::simulator::Random& random) {
  const double part = random.Unit();
  const auto at = [part](const ServiceSample& sample) {
    return static_cast<double>(sample.Quantile(part));
  };
  const auto above = column.lower_bound(batch);
  double time = 0;
  if (above == column.end()) {
    const auto& [size, sample] = *std::prev(above);
    time = at(sample) + fit.alpha * static_cast<double>(batch - size);
  } else if (above->first == batch || above == column.begin()) {
    time = at(above->second);
  } else {
    const auto below = std::prev(above);
    const double share = static_cast<double>(batch - below->first) /
                         static_cast<double>(above->first - below->first);
    time = at(below->second) * (1 - share) + at(above->second) * share;
  }
  return std::max<Nanos>(1, static_cast<Nanos>(time * factor));
}

}  // namespace

const ServiceTimes::Column* ServiceTimes::FindColumn(const Key& key) const {
  const auto column = columns_.find(key);
  return column == columns_.end() || column->second.empty() ? nullptr : &column->second;
}

const ServiceSample* ServiceTimes::Find(const Key& key, std::int64_t batch) const {
  const Column* column = FindColumn(key);
  if (column == nullptr) {
    return nullptr;
  }
  const auto sample = column->find(batch);
  return sample == column->end() ? nullptr : &sample->second;
}

Nanos ServiceTimes::LoneRequest(const std::string& variant) const {
  Nanos least = kNever;
  for (const auto& [key, column] : columns_) {
    const auto one = column.find(1);
    if (key.variant == variant && one != column.end()) {
      least = std::min(least, one->second.tail() + one->second.overhead);
    }
  }
  return least;
}

double ServiceTimes::Ceiling(const Key& key, std::int64_t batch_max) const {
  double best = 0;
  if (const Column* column = FindColumn(key)) {
    for (const auto& [batch, sample] : *column) {
      if (batch <= batch_max && sample.mean > 0) {
        best =
            std::max(best, static_cast<double>(key.shape.instances) * static_cast<double>(batch) /
                               sample.mean * static_cast<double>(kSecond));
      }
    }
  }
  return best;
}

ServiceFit ServiceTimes::Fit(const Key& key) const {
  std::map<std::int64_t, double> means;
  if (const Column* column = FindColumn(key)) {
    for (const auto& [batch, sample] : *column) {
      means[batch] = sample.mean;
    }
  }
  return FitService(means);
}

Usl ServiceTimes::Scaling(const std::string& variant, int threads) const {
  const auto each = [&](const auto& act) {
    for (const auto& [key, column] : columns_) {
      if (key.variant == variant && key.shape.threads == threads && !column.empty()) {
        act(key, column);
      }
    }
  };
  // A shape whose larger batches were not measured, for want of time, is not a slower one.
  std::int64_t batch_max = std::numeric_limits<std::int64_t>::max();
  each([&](const Key&, const Column& column) {
    batch_max = std::min(batch_max, column.rbegin()->first);
  });
  std::vector<UslPoint> points;
  each([&](const Key& key, const Column&) {
    points.push_back(
        {.n = static_cast<double>(key.shape.instances), .throughput = Ceiling(key, batch_max)});
  });
  return FitUsl(points);
}

std::function<Nanos(std::int64_t, engine::simulator::Random&)> ServiceTimes::Sampler(
    const Key& key, double factor) const {
  const Column* column = FindColumn(key);
  if (column == nullptr) {
    return [](std::int64_t, engine::simulator::Random&) { return Nanos{1}; };
  }
  return [column, fit = Fit(key), factor](std::int64_t batch, engine::simulator::Random& random) {
    return Draw(*column, fit, factor, batch, random);
  };
}

}  // namespace headrace::tune
