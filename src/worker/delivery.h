// Brings what a worker answered to the request that it answers.
#ifndef HEADRACE_WORKER_DELIVERY_H_
#define HEADRACE_WORKER_DELIVERY_H_

#include <memory>

#include "base/result.h"
#include "engine/request.h"
#include "worker/data_region.h"
#include "worker/json_messages.h"
#include "worker/wire.h"

namespace headrace::worker {

// A response of a worker, ready to be given to its request.
struct Answer {
  engine::InferResponse response;  // with `error`: its parameters alone
  Status error;
  bool ends = false;        // the request ends with it
  bool is_nothing = false;  // a stream's end without a last response

  bool ok() const { return error.ok(); }
};

// Copies the outputs of `response` out of the region, each once, into memory of the request's sink:
// those that the client asked for. An error is INTERNAL for an output that the model's
// configuration does not have, for a requested one that is missing, and for BYTES that are no
// elements; RESOURCE_EXHAUSTED when the memory budget is spent. Type and shape are the model's
// affair, as in a stock Triton. An error ends the request, unless the model is decoupled and goes
// on.
Answer PrepareAnswer(const WireResponse& response, ResponseExtras extras,
                     engine::InferRequest& request, const DataRegion& region);

// Sends it, and ends the request if it does.
void Give(Answer answer, engine::InferRequest& request);

// Counts one execution of the request in its model's statistics, and in its trace if it has one.
void ReportExecution(engine::InferRequest& request, bool success,
                     const engine::ExecutionTimes& times);

// Ends the request with a failure of its backend.
void Fail(engine::InferRequest& request, Status status);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_DELIVERY_H_
