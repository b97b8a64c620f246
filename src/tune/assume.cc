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

// Of the variant's other shapes, one that was measured at both sizes.
const ServiceTimes::Column* MeasuredAt(const ServiceTimes& times, const Key& except,
                                       std::int64_t one, std::int64_t other) {
  const auto measured = [](const ServiceTimes::Column& column, std::int64_t batch) {
    const auto at = column.find(batch);
    return at != column.end() && at->second.count > 0;
  };
  for (const auto& [key, column] : times.columns()) {
    if (key.variant == except.variant && key.shape != except.shape && measured(column, one) &&
        measured(column, other)) {
      return &column;
    }
  }
  return nullptr;
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
    const ServiceTimes::Column* donor =
        batch > last ? MeasuredAt(times, key, last, batch) : nullptr;
    if (donor != nullptr) {
      const double factor = base.mean / std::max(1.0, donor->at(last).mean);
      ServiceSample sample = Scaled(donor->at(batch), factor, shape.instances, batch);
      sample.memory_bytes = base.memory_bytes;
      times.Add(key, batch, std::move(sample));
      added = true;
    }
  }
  return added;
}

}  // namespace headrace::tune
