// The numbers of workers of a store's models, as metrics: what the autoscaler does can be seen.
#ifndef HEADRACE_STORE_WORKER_METRICS_H_
#define HEADRACE_STORE_WORKER_METRICS_H_

#include "store/model_store.h"
#include "telemetry/prometheus.h"

namespace headrace::store {

// headrace_workers_wanted (what the last scaling gave the version, the autoscaler's or a client's),
// headrace_workers_min, headrace_workers_max and headrace_workers_queue_depth, by model and version
// as TorchServe's clients call them. What has started of it is headrace_instances_ready.
// Thread-safe; looks at the store when it is asked.
class WorkerMetrics final : public telemetry::MetricSource {
 public:
  explicit WorkerMetrics(const ModelStore& store) : store_(store) {}  // borrowed
  void Collect(telemetry::PrometheusWriter& writer) const override;

 private:
  const ModelStore& store_;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_WORKER_METRICS_H_
