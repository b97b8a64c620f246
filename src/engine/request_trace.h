// What a traced request reports on its way. Most requests have none, and pay one look at a null
// pointer for it.
#ifndef HEADRACE_ENGINE_REQUEST_TRACE_H_
#define HEADRACE_ENGINE_REQUEST_TRACE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "tensor/tensor.h"

namespace headrace::engine {

// With the numbers of TRITONSERVER_InferenceTraceActivity (contracts, Triton 8.2).
enum class TraceActivity : std::uint8_t {
  kRequestStart = 0,
  kQueueStart = 1,
  kComputeStart = 2,
  kComputeInputEnd = 3,
  kComputeOutputStart = 4,
  kComputeEnd = 5,
  kRequestEnd = 6,
  kTensorQueueInput = 7,
  kTensorBackendInput = 8,
  kTensorBackendOutput = 9,
  kCustom = 10,
};
// "REQUEST_START", ...
std::string_view TraceActivityName(TraceActivity activity);

// Implemented by the tracer (src/tracing) and by traces of the C interface. Thread-safe. Lives as
// long as anybody holds it: the request, its front end, a backend; it is complete when the last of
// them lets go.
class RequestTrace {
 public:
  virtual ~RequestTrace() = default;

  // Which model the request turned out to be for.
  virtual void SetModel(std::string_view name, std::int64_t version,
                        std::string_view request_id) = 0;
  virtual void Report(TraceActivity activity, Nanos time) = 0;
  // An activity with a name of its own.
  virtual void ReportCustom(std::string_view name, Nanos time) = 0;
  // Whether tensors are asked for at all; copying them is costly.
  virtual bool WantsTensors() const = 0;
  virtual void ReportTensor(TraceActivity activity, std::string_view name,
                            const Tensor& tensor) = 0;
  // A trace for a request that this one causes: a step of an ensemble, a call of another model.
  virtual std::shared_ptr<RequestTrace> SpawnChild() = 0;
  virtual std::uint64_t id() const = 0;
  // W3C trace context ("00-<trace>-<span>-01") for what the request calls; empty if there is none.
  virtual std::string Context() const = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_REQUEST_TRACE_H_
