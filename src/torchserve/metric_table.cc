#include "torchserve/metric_table.h"

#include <algorithm>
#include <iterator>

namespace headrace::torchserve {
namespace {

using telemetry::MetricKind;

// Those of TorchServe's client, which suit seconds, and more for milliseconds.
constexpr double kBounds[] = {.005, .01, .025, .05, .075, .1,  .25, .5,   .75,  1,    2.5,  5,
                              7.5,  10,  25,   50,  100,  250, 500, 1000, 2500, 5000, 10000};

}  // namespace

bool MetricTable::Update(const MetricSpec& spec, const std::vector<std::string>& values,
                         double value) {
  std::lock_guard lock(mutex_);
  auto& family = families_[spec.name];
  auto found = family.find(values);
  const bool full = found == family.end() && series_count_ >= series_count_max_;
  if (full || values.size() != spec.dimensions.size() ||
      (spec.kind == MetricKind::kCounter && value < 0)) {
    ++dropped_count_;
    return false;
  }
  if (found == family.end()) {
    found = family.emplace(values, Series{}).first;
    ++series_count_;
  }
  Series& series = found->second;
  if (spec.kind == MetricKind::kGauge) {
    series.value = value;
    return true;
  }
  series.value += value;
  if (spec.kind == MetricKind::kHistogram) {
    series.counts.resize(std::size(kBounds) + 1);
    const auto* const bucket = std::lower_bound(std::begin(kBounds), std::end(kBounds), value);
    ++series.counts[static_cast<std::size_t>(bucket - std::begin(kBounds))];
  }
  return true;
}

void MetricTable::Write(const MetricSpec& spec, MetricsPage& page) const {
  page.Family(spec);
  std::lock_guard lock(mutex_);
  const auto family = families_.find(spec.name);
  if (family == families_.end()) {
    return;
  }
  for (const auto& [values, series] : family->second) {
    if (spec.kind == MetricKind::kHistogram) {
      page.Histogram(spec.dimensions, values, kBounds, series.counts, series.value);
    } else {
      page.Sample(spec.dimensions, values, series.value);
    }
  }
}

bool MetricTable::Has(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto family = families_.find(name);
  return family != families_.end() && !family->second.empty();
}

std::uint64_t MetricTable::dropped_count() const {
  std::lock_guard lock(mutex_);
  return dropped_count_;
}

}  // namespace headrace::torchserve
