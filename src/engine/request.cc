#include "engine/request.h"

#include "base/log.h"
#include "engine/model.h"
#include "engine/sequence_step.h"

namespace headrace::engine {

InferRequest::InferRequest(ModelHandle handle, std::unique_ptr<ResponseSink> response_sink)
    : model_(std::move(handle)), sink_(std::move(response_sink)) {}

InferRequest::~InferRequest() {
  if (finished_) {
    return;
  }
  const bool executing = times.executing != 0;
  Finish(Internal("[request id: {}] the request was dropped without an answer{}",
                  id.empty() ? "<id_unknown>" : id, executing ? " by its backend" : ""),
         executing ? FailureReason::kBackend : FailureReason::kOther);
}

void InferRequest::Send(InferResponse response) {
  if (trace != nullptr && trace->WantsTensors()) {
    for (const NamedTensor& output : response.outputs) {
      trace->ReportTensor(TraceActivity::kTensorBackendOutput, output.name, output.tensor);
    }
  }
  sink_->Send(std::move(response));
}

void InferRequest::Finish(Status status, FailureReason reason) {
  if (finished_) {
    HEADRACE_LOG_ERROR("a request of model '{}' was ended twice; the second end is ignored: {}",
                       model_ ? model_->name() : "", status.ToString());
    return;
  }
  finished_ = true;
  if (trace != nullptr && model_ != nullptr) {
    trace->Report(TraceActivity::kRequestEnd, model_->clock_.Now());
  }
  if (submitted && model_ != nullptr) {
    // Counted before the sink hears of it: whoever has the answer finds it in the statistics.
    const Nanos total = model_->clock_.Now() - times.received;
    if (status.ok()) {
      model_->statistics_.RecordSuccess(total);
    } else {
      model_->statistics_.RecordFailure(reason, total);
    }
  }
  // Given back before the client can know: its next request finds it.
  if (has_ticket) {
    has_ticket = false;
    model_->tickets_taken_.fetch_sub(1, std::memory_order_relaxed);
  }
  sink_->Finish(std::move(status));
  if (inside_gate) {
    inside_gate = false;
    model_->gate_.Leave();
  }
}

}  // namespace headrace::engine
