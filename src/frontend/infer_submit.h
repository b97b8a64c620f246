// From a parsed inference request to a submitted one, whatever protocol it came by.
#ifndef HEADRACE_FRONTEND_INFER_SUBMIT_H_
#define HEADRACE_FRONTEND_INFER_SUBMIT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "engine/model.h"
#include "frontend/call.h"
#include "frontend/infer_reply.h"
#include "protocol/v2_message.h"

namespace headrace::frontend {

// A refusal together with the reason under which it is counted.
struct InferFailure {
  Status status;
  RefusalReason reason = RefusalReason::kMalformed;
};

// What one request may have of inputs and outputs: a few more than the model declares, so that a
// small mistake is answered with the names that are wrong.
struct TensorCounts {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
};
TensorCounts TensorCountsMax(const engine::ModelSignature& signature);

// The refusal of a model that `snapshot` does not have ready.
InferFailure ModelFailure(const Status& lookup);
// The reason for a failure of reading the request.
RefusalReason ParseFailureReason(StatusCode code);
// Counts it, under the model when there is one.
void CountRefusal(const Services& services, const engine::Model* model, RefusalReason reason);

// Fetches the inputs that lie in shared memory, and looks whether the outputs that go there can.
Status BindSharedMemory(const Services& services, protocol::V2InferRequest& request);

// Takes from `request` what its answer needs again.
InferReplyPlan TakeReplyPlan(protocol::V2InferRequest& request);

// Gives `request` to `model`; refusals go to `sink`. `plan` is the one that TakeReplyPlan made of
// it: it says which outputs are wanted, and its trace is the request's.
struct InferSubmission {
  protocol::V2InferRequest request;
  std::vector<std::string> wanted_outputs;
  std::shared_ptr<engine::RequestTrace> trace;
  std::shared_ptr<engine::ExecutionObserver> observer = {};  // null: nobody asks for its times
  Nanos received = 0;
  Nanos deadline = kNever;
  std::uint64_t client = 0;  // ClientKey
};
void SubmitInfer(engine::ModelHandle model, InferSubmission submission,
                 std::unique_ptr<engine::ResponseSink> sink);

// Names of the outputs in `plan`.
std::vector<std::string> WantedOutputs(const InferReplyPlan& plan);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_INFER_SUBMIT_H_
