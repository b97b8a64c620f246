// What a worker may ask of the server that it belongs to. Implemented by the layer above
// (plugin/worker_services.h), and by fakes in tests.
#ifndef HEADRACE_WORKER_HOST_SERVICES_H_
#define HEADRACE_WORKER_HOST_SERVICES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/model.h"

namespace headrace::worker {

// The metrics of one worker. Families and series have the worker's numbers; they end with this.
// Used by one thread at a time.
class WorkerMetrics {
 public:
  // Of one worker, families and series together.
  static constexpr std::size_t kCountMax = 10'000;

  virtual ~WorkerMetrics() = default;
  // `kind`: "COUNTER", "GAUGE", "HISTOGRAM".
  virtual Status NewFamily(std::uint64_t id, const std::string& kind, std::string name,
                           std::string description) = 0;
  virtual Status DropFamily(std::uint64_t id) = 0;
  virtual Status NewSeries(std::uint64_t id, std::uint64_t family,
                           std::vector<std::pair<std::string, std::string>> labels,
                           const std::vector<double>& buckets) = 0;
  virtual Status DropSeries(std::uint64_t id) = 0;
  virtual Status Increment(std::uint64_t id, double value) = 0;
  virtual Status Set(std::uint64_t id, double value) = 0;
  virtual Status Observe(std::uint64_t id, double value) = 0;
  virtual Result<double> Value(std::uint64_t id) const = 0;
};

// Takes metrics as TorchServe's workers print them: "[METRICS]Name.Unit:value|#Dim:value|...".
// Thread-safe; must not block.
class MetricLineSink {
 public:
  virtual ~MetricLineSink() = default;
  // One line, which nobody has checked.
  virtual void OnMetricLine(std::string_view line) = 0;
  // The metrics that the server knows of, which handlers find by `context.metrics.get_metric`: a
  // JSON array of {"name", "unit", "kind" ("counter", "gauge", "histogram"), "dimensions" []}.
  virtual std::string DeclaredMetrics() const { return "[]"; }
};

// Thread-safe; outlives all workers.
class HostServices {
 public:
  virtual ~HostServices() = default;

  // A model to call, as a client would name it. Does not block.
  virtual Result<engine::ModelHandle> FindModel(const std::string& name,
                                                std::optional<std::int64_t> version) = 0;
  // Block until the models are as asked for. `files`: path in the model's directory -> content.
  virtual Status Load(const std::string& name, std::string config_json,
                      std::map<std::string, std::string> files) = 0;
  virtual Status Unload(const std::string& name, bool unload_dependents) = 0;

  virtual std::unique_ptr<WorkerMetrics> NewMetrics() = 0;
  // Where handlers' metrics go, update by update, in place of NewMetrics'. Null: to NewMetrics'.
  virtual MetricLineSink* metric_lines() { return nullptr; }
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_HOST_SERVICES_H_
