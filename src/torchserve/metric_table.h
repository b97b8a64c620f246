// The values of metrics by their labels.
#ifndef HEADRACE_TORCHSERVE_METRIC_TABLE_H_
#define HEADRACE_TORCHSERVE_METRIC_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "torchserve/metrics_catalog.h"
#include "torchserve/metrics_page.h"

namespace headrace::torchserve {

// Counters add up, gauges keep what was said last, histograms count in fixed buckets. Thread-safe.
class MetricTable {
 public:
  // More series than this, of all metrics together, are not made: what is said of them is dropped,
  // and counted.
  explicit MetricTable(std::size_t series_count_max) : series_count_max_(series_count_max) {}

  // `values` has one for each dimension of `spec`. A counter does not take what is negative. False
  // if it was dropped.
  bool Update(const MetricSpec& spec, const std::vector<std::string>& values, double value);
  // A family with all its series, which are those of `spec.name`.
  void Write(const MetricSpec& spec, MetricsPage& page) const;
  // Whether a series of that name is there.
  bool Has(const std::string& name) const;
  std::uint64_t dropped_count() const;

 private:
  struct Series {
    double value = 0;  // of a histogram: the sum
    std::vector<std::uint64_t> counts;
  };

  const std::size_t series_count_max_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, std::map<std::vector<std::string>, Series>> families_;
  std::size_t series_count_ = 0;
  std::uint64_t dropped_count_ = 0;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_METRIC_TABLE_H_
