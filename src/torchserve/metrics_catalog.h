// Which of TorchServe's metrics there are: the file that `metrics_config` names (contracts,
// TorchServe 3.2). Immutable; pure.
#ifndef HEADRACE_TORCHSERVE_METRICS_CATALOG_H_
#define HEADRACE_TORCHSERVE_METRICS_CATALOG_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/prometheus.h"

namespace headrace::torchserve {

struct MetricSpec {
  std::string name, unit;
  telemetry::MetricKind kind = telemetry::MetricKind::kCounter;
  // Names of labels, in the order in which values come; the host's name is the last value of a
  // server's metric, and of a model's metric a dimension "Hostname" that is not listed here.
  std::vector<std::string> dimensions;
};

struct MetricsCatalog {
  static constexpr std::size_t kMetricCountMax = 1000;
  static constexpr std::size_t kDimensionCountMax = 20;

  std::vector<MetricSpec> server;  // ts_metrics
  std::vector<MetricSpec> model;   // model_metrics

  // The file that TorchServe ships.
  static MetricsCatalog Default();
  // INVALID_ARGUMENT with the metric and the member at fault: a metric without a name or a unit, a
  // name that Prometheus does not allow, one that is there twice, a kind that there is not.
  static Result<MetricsCatalog> Parse(std::string_view yaml);
  // The same of a file; UNAVAILABLE if it cannot be read.
  static Result<MetricsCatalog> Read(const std::string& path);

  // `model` as the JSON array that handlers' workers get (worker/host_services.h). What is said of
  // the host's name is left out: the server adds it.
  std::string ModelMetricsJson() const;

  // Null if it is not listed.
  const MetricSpec* FindServer(std::string_view name) const;
  const MetricSpec* FindModel(std::string_view name) const;
};

// The label that every metric of a model has last, listed or not.
inline constexpr std::string_view kHostnameLabel = "Hostname";

// "counter", "gauge", "histogram".
std::string_view MetricKindName(telemetry::MetricKind kind);

// Whether Prometheus takes it as a name of a family, or (without ':') of a label.
bool IsMetricName(std::string_view text);
bool IsLabelName(std::string_view text);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_METRICS_CATALOG_H_
