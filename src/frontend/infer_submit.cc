#include "frontend/infer_submit.h"

#include <utility>

#include "engine/model_key.h"

namespace headrace::frontend {

TensorCounts TensorCountsMax(const engine::ModelSignature& signature) {
  constexpr std::size_t kCountSlack = 16;
  return {signature.inputs.size() + kCountSlack, signature.outputs.size() + kCountSlack};
}

InferFailure ModelFailure(const Status& lookup) {
  const bool unknown = lookup.code() != StatusCode::kUnavailable;
  return {lookup, unknown ? RefusalReason::kUnknownModel : RefusalReason::kNotReady};
}

RefusalReason ParseFailureReason(StatusCode code) {
  return code == StatusCode::kResourceExhausted ? RefusalReason::kTooLarge
                                                : RefusalReason::kMalformed;
}

void CountRefusal(const Services& services, const engine::Model* model, RefusalReason reason) {
  if (model == nullptr) {
    services.refusals.CountUnknown(reason);
  } else {
    services.refusals.Count(engine::MakeModelKey(model->name_space(), model->name()),
                            std::to_string(model->version()), reason);
  }
}

Status BindSharedMemory(const Services& services, protocol::V2InferRequest& request) {
  for (const protocol::V2SharedInput& shared : request.shared_inputs) {
    const protocol::V2SharedMemory& memory = shared.memory;
    HEADRACE_ASSIGN_OR_RETURN(
        request.inputs[shared.index].tensor.data,
        services.shared_memory.Read(memory.region, memory.offset, memory.byte_size, services.pool));
  }
  for (const protocol::V2RequestedOutput& output : request.outputs) {
    if (const auto& memory = output.shared_memory) {
      HEADRACE_RETURN_IF_ERROR(
          services.shared_memory.Check(memory->region, memory->offset, memory->byte_size));
    }
  }
  return OkStatus();
}

InferReplyPlan TakeReplyPlan(protocol::V2InferRequest& request) {
  InferReplyPlan plan;
  plan.id = request.id;
  plan.binary_output_default = request.binary_output_default;
  plan.outputs = std::move(request.outputs);
  return plan;
}

std::vector<std::string> WantedOutputs(const InferReplyPlan& plan) {
  std::vector<std::string> wanted;
  wanted.reserve(plan.outputs.size());
  for (const protocol::V2RequestedOutput& output : plan.outputs) {
    wanted.push_back(output.name);
  }
  return wanted;
}

void SubmitInfer(engine::ModelHandle model, InferSubmission submission,
                 std::unique_ptr<engine::ResponseSink> sink) {
  protocol::V2InferRequest& parsed = submission.request;
  auto request = std::make_unique<engine::InferRequest>(model, std::move(sink));
  request->id = std::move(parsed.id);
  request->inputs = std::move(parsed.inputs);
  request->wanted_outputs = std::move(submission.wanted_outputs);
  request->parameters = std::move(parsed.parameters);
  request->priority = parsed.priority;
  request->timeout_us = parsed.timeout_us;
  request->correlation_id = parsed.correlation_id;
  request->correlation_id_text = std::move(parsed.correlation_id_text);
  request->sequence_flags = parsed.sequence_flags;
  request->deadline = submission.deadline;
  request->client = submission.client;
  request->times.received = submission.received;
  request->trace = std::move(submission.trace);
  request->observer = std::move(submission.observer);
  // `model` keeps it alive through Submit, whatever becomes of the request.
  model->Submit(std::move(request));
}

}  // namespace headrace::frontend
