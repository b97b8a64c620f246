#include "frontend/infer_reply.h"

#include <span>
#include <string_view>
#include <utility>

#include "protocol/classification.h"

namespace headrace::frontend {
namespace {

using protocol::V2RequestedOutput;

const V2RequestedOutput* FindRequested(const std::vector<V2RequestedOutput>& outputs,
                                       std::string_view name) {
  for (const V2RequestedOutput& output : outputs) {
    if (output.name == name) {
      return &output;
    }
  }
  return nullptr;
}

Result<Tensor> ClassifyOutput(const engine::Model& model, const NamedTensor& output,
                              std::uint64_t count) {
  const engine::TensorSpec* spec = model.signature().FindOutput(output.name);
  return protocol::Classify(
      output.tensor, count, model.signature().batch_size_max > 0,
      spec != nullptr ? std::span<const std::string>(spec->labels) : std::span<const std::string>(),
      output.name);
}

}  // namespace

Result<ShapedReply> ShapeReply(const engine::Model& model, const InferReplyPlan& plan,
                               const engine::InferResponse& response,
                               const SharedMemoryRegions& shared_memory) {
  ShapedReply reply;
  protocol::V2InferResponse& message = reply.message;
  message.model_name = model.name();
  message.model_version = model.version();
  message.id = plan.id;
  message.parameters = &response.parameters;
  message.outputs.reserve(response.outputs.size());
  if (!plan.outputs.empty()) {
    reply.classified.reserve(response.outputs.size());  // no element moves below
  }
  for (const NamedTensor& output : response.outputs) {
    const V2RequestedOutput* requested = FindRequested(plan.outputs, output.name);
    if (requested == nullptr && !plan.outputs.empty()) {
      continue;
    }
    protocol::V2OutputTensor shown{
        .name = output.name, .tensor = &output.tensor, .binary = plan.binary_output_default};
    if (requested != nullptr) {
      shown.binary = requested->binary_data.value_or(plan.binary_output_default);
      if (requested->classification_count > 0) {
        HEADRACE_ASSIGN_OR_RETURN(Tensor classes,
                                  ClassifyOutput(model, output, requested->classification_count));
        reply.classified.push_back(std::move(classes));
        shown.tensor = &reply.classified.back();
      }
      if (const auto& memory = requested->shared_memory) {
        HEADRACE_RETURN_IF_ERROR(shared_memory.Write(
            memory->region, memory->offset, memory->byte_size, output.name, output.tensor));
        shown.elsewhere = true;
      }
    }
    message.outputs.push_back(shown);
  }
  return reply;
}

std::uint64_t ByteSizeOf(const engine::InferResponse& response) {
  constexpr std::uint64_t kWithoutTensors = 512;  // about
  std::uint64_t byte_size = kWithoutTensors;
  for (const NamedTensor& output : response.outputs) {
    byte_size += output.tensor.byte_size();
  }
  return byte_size;
}

Status FailureForClient(const Status& status) {
  return status.code() == StatusCode::kResourceExhausted
             ? Status(StatusCode::kUnavailable, status.message())
             : status;
}

}  // namespace headrace::frontend
