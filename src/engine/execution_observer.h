// Who wants to know how long the executions of one request took.
#ifndef HEADRACE_ENGINE_EXECUTION_OBSERVER_H_
#define HEADRACE_ENGINE_EXECUTION_OBSERVER_H_

#include "base/clock.h"

namespace headrace::engine {

// The stamps of one execution, on the monotonic clock (contracts, Triton 8.4
// ModelInstanceReportStatistics).
struct ExecutionTimes {
  Nanos exec_start = 0, compute_start = 0, compute_end = 0, exec_end = 0;
};

// Set by an ensemble on the requests of its steps. Held by the request, so that what a backend
// reports after the answer still arrives. Thread-safe.
class ExecutionObserver {
 public:
  virtual ~ExecutionObserver() = default;
  // What the backend reported for an execution that went well.
  virtual void OnExecution(const ExecutionTimes& times) = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_EXECUTION_OBSERVER_H_
