// Metrics that backends add through the interface (families "metrics" of abi/triton.yaml;
// contracts, Triton 8.5).
//
// Equal (family, labels) share one series. Counters only grow, gauges move and can be set,
// histograms take observations. Thread-safe.
#ifndef HEADRACE_PLUGIN_CUSTOM_METRICS_H_
#define HEADRACE_PLUGIN_CUSTOM_METRICS_H_

#include <atomic>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"
#include "plugin/values.h"
#include "telemetry/prometheus.h"

struct TRITONSERVER_MetricArgs {
  std::vector<double> buckets;
};

struct TRITONSERVER_MetricFamily {
  TRITONSERVER_MetricKind kind;
  std::string name, help;
  struct Series {
    double value = 0;  // histograms: the sum
    std::vector<double> bounds;
    std::vector<std::uint64_t> counts;  // one more than bounds
    int handle_count = 0;
  };
  std::map<headrace::telemetry::Labels, Series> series;
  int handle_count = 1;  // holders: models that name it alike share it
};

struct TRITONSERVER_Metric {
  TRITONSERVER_MetricFamily* family;
  headrace::telemetry::Labels labels;
};

namespace headrace::plugin {

class CustomMetrics final : public telemetry::MetricSource {
 public:
  // The process's: the interface has no argument that could carry another.
  static CustomMetrics& OfProcess();

  // The family of that name, which may exist already: then one more holder shares it.
  // INVALID_ARGUMENT for a name that Prometheus does not allow, ALREADY_EXISTS for one that exists
  // with another kind.
  Result<TRITONSERVER_MetricFamily*> NewFamily(TRITONSERVER_MetricKind kind, std::string name,
                                               std::string help);
  // The last holder's: INTERNAL while it has metrics; it stays then.
  Status DeleteFamily(TRITONSERVER_MetricFamily* family);
  // `buckets`: of histograms; ascending.
  Result<TRITONSERVER_Metric*> NewMetric(TRITONSERVER_MetricFamily* family,
                                         telemetry::Labels labels,
                                         const std::vector<double>& buckets);
  void DeleteMetric(TRITONSERVER_Metric* metric);

  Result<double> Value(const TRITONSERVER_Metric& metric) const;
  Status Increment(const TRITONSERVER_Metric& metric, double value);
  Status Set(const TRITONSERVER_Metric& metric, double value);
  Status Observe(const TRITONSERVER_Metric& metric, double value);

  // From now on the families of a cache (nv_cache_*, not those of single models) may be made: the
  // response cache is a library, so that the server has none of these itself.
  void AdmitCacheFamilies() { cache_library_.store(true, std::memory_order_relaxed); }

  void Collect(telemetry::PrometheusWriter& writer) const override;

 private:
  // Names that are not for libraries.
  bool IsTheServers(std::string_view name) const;

  std::atomic<bool> cache_library_ = false;
  mutable std::mutex mutex_;  // guards families_ and what they hold
  std::list<TRITONSERVER_MetricFamily> families_;
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_CUSTOM_METRICS_H_
