#include "tune/assume.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace headrace::tune {
namespace {

using Key = ServiceTimes::Key;

ServiceSample Scaled(const ServiceSample& of, double factor, int instances, std::int64_t batch) {
  ServiceSample sample = of;
  sample.count = 0;
  sample.mean *= factor;
  for (Nanos& time : sample.quantiles) {
    time = std::max<Nanos>(1, static_cast<Nanos>(static_cast<double>(time) * factor));
  }
  sample.rate = instances * static_cast<double>(batch) / std::max(1.0, sample.mean) *
                static_cast<double>(kSecond);
  return sample;
}

// The mean at a size, in proportion between the two measured ones around it; nothing where it lies
// outside of them.
std::optional<double> MeanAt(const ServiceTimes::Column& column, std::int64_t batch) {
  std::optional<std::pair<double, double>> below;  // size and mean
  for (const auto& [size, sample] : column) {
    const auto at = static_cast<double>(size);
    if (sample.count == 0) {
      continue;
    }
    if (size == batch) {
      return sample.mean;
    }
    if (size > batch) {
      return below ? std::optional(below->second + (sample.mean - below->second) *
                                                       (static_cast<double>(batch) - below->first) /
                                                       (at - below->first))
                   : std::nullopt;
    }
    below = {at, sample.mean};
  }
  return std::nullopt;
}

// How much longer than of `from` an execution of a batch of `to` takes in another shape of the
// variant, which was measured there; the sample of that shape.
struct Growth {
  const ServiceSample* sample = nullptr;  // null: no shape says it
  double from_mean = 1;
};
Growth GrowthOf(const ServiceTimes& times, const Key& except, std::int64_t from, std::int64_t to) {
  for (const auto& [key, column] : times.columns()) {
    const auto at = column.find(to);
    if (key.variant == except.variant && key.shape != except.shape && at != column.end() &&
        at->second.count > 0) {
      if (const auto mean = MeanAt(column, from)) {
        return {&at->second, std::max(1.0, *mean)};
      }
    }
  }
  return {};
}

}  // namespace

bool AssumeMissing(ServiceTimes& times, const std::string& variant, const Shape& shape,
                   const std::vector<std::int64_t>& batches, int cores) {
  const Key key{variant, shape};
  bool added = false;
  if (times.FindColumn(key) == nullptr) {
    const Key single{variant, {.instances = 1, .threads = shape.threads}};
    const ServiceSample* one = times.Find(single, 1);
    if (one == nullptr || shape.threads == 0 || shape.cores() > cores) {
      return false;
    }
    times.Add(key, 1, Scaled(*one, 1, shape.instances, 1));
    added = true;
  }
  const auto [last, base] = *times.FindColumn(key)->rbegin();
  for (const std::int64_t batch : batches) {
    const Growth growth = batch > last ? GrowthOf(times, key, last, batch) : Growth();
    if (growth.sample != nullptr) {
      ServiceSample sample =
          Scaled(*growth.sample, base.mean / growth.from_mean, shape.instances, batch);
      sample.memory_bytes = base.memory_bytes;
      times.Add(key, batch, std::move(sample));
      added = true;
    }
  }
  return added;
}

}  // namespace headrace::tune
