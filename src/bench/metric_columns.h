// The columns of ab_report.csv that a level does not know (contracts, TorchServe 10.2).
#ifndef HEADRACE_BENCH_METRIC_COLUMNS_H_
#define HEADRACE_BENCH_METRIC_COLUMNS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "load/metrics_text.h"

namespace headrace::bench {

using MetricColumns = std::map<std::string, double>;

// Collects the metric lines of a TorchServe's log, "...PredictionTime.Milliseconds:12.3|#...", of
// the one model that is loaded. Thread-safe: Take is called on the thread that reads the log.
class MetricLineCollector {
 public:
  void Take(std::string_view line);
  void Clear();
  // Of the last `request_count` requests (what came before them was warm-up): QueueTime has one
  // line for each request, so that the share of its lines is that of the others, too.
  MetricColumns Columns(std::uint64_t request_count) const;

 private:
  static constexpr std::size_t kValuesMax = 1'000'000;  // of each metric; older ones go

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<double>, std::less<>> values_;  // by metric
};

// Queue and model times of a v2 server, from two readings of its metrics page: percentiles from
// histograms where it has them (ours), means from counters (every Triton). Milliseconds.
MetricColumns ColumnsBetween(const load::MetricFamilies& before, const load::MetricFamilies& after,
                             const std::string& model);

// The percentile of a Prometheus histogram that grew between two readings, in the middle of its
// bucket by linear interpolation; below 0 where nothing was observed. `name` without "_bucket".
double HistogramPercentile(const load::MetricFamilies& before, const load::MetricFamilies& after,
                           std::string_view name, const std::string& model, double percentile);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_METRIC_COLUMNS_H_
