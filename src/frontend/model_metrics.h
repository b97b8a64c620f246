// The metrics of models, for the metrics page.
#ifndef HEADRACE_FRONTEND_MODEL_METRICS_H_
#define HEADRACE_FRONTEND_MODEL_METRICS_H_

#include "engine/registry.h"
#include "frontend/refusal_ledger.h"
#include "telemetry/prometheus.h"

namespace headrace::frontend {

// Triton's nv_inference_* families (contracts, Triton 6.1) and Headrace's own, for every model
// version that serves. Durations of the former are microseconds, of the latter seconds. A stage
// histogram of a model appears with its first sample, so that a page over a thousand idle models
// stays small.
void CollectModelMetrics(const engine::RegistrySnapshot& models, const RefusalLedger& refusals,
                         telemetry::PrometheusWriter& writer);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_MODEL_METRICS_H_
