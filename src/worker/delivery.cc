#include "worker/delivery.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/model.h"
#include "engine/reshape.h"
#include "tensor/bytes_codec.h"

namespace headrace::worker {
namespace {

bool Wants(const engine::InferRequest& request, std::string_view output) {
  const auto& wanted = request.wanted_outputs;
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), output) != wanted.end();
}

Result<NamedTensor> CopyOutput(const WireTensor& tensor, const engine::TensorSpec& spec,
                               std::size_t batch_rank, engine::InferRequest& request,
                               const DataRegion& region) {
  NamedTensor output{.name = std::string(tensor.name), .tensor = {}};
  output.tensor.dtype = tensor.dtype;
  output.tensor.shape = tensor.shape;
  if (spec.reshape) {
    if (auto outside = engine::Reshape(tensor.shape, *spec.reshape, spec.dims, batch_rank)) {
      output.tensor.shape = *outside;
    }
  }
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory,
                            request.sink().AllocateOutput(tensor.name, tensor.byte_size));
  if (tensor.byte_size > 0) {
    std::memcpy(memory.data(), region.At(tensor.offset), tensor.byte_size);
  }
  output.tensor.data = std::move(memory).Freeze(tensor.byte_size);
  if (tensor.dtype == DataType::kBytes) {
    // Of the copy: the worker can no longer change it.
    Status status = ValidateBytesTensor(output.tensor, *output.tensor.shape.ElementCount(),
                                        tensor.name, request.model()->name());
    if (!status.ok()) {
      return Internal("output '{}': {}", tensor.name, status.message());
    }
  }
  return output;
}

Status CheckWanted(const engine::InferRequest& request, const std::vector<NamedTensor>& outputs) {
  for (const std::string& wanted : request.wanted_outputs) {
    if (std::none_of(outputs.begin(), outputs.end(),
                     [&](const NamedTensor& output) { return output.name == wanted; })) {
      return Internal("the model '{}' did not give the output '{}' that was asked for",
                      request.model()->name(), wanted);
    }
  }
  return OkStatus();
}

Result<engine::InferResponse> CopyResponse(const WireResponse& response, ResponseExtras extras,
                                           engine::InferRequest& request,
                                           const DataRegion& region) {
  engine::InferResponse out;
  out.final = response.final;
  out.parameters = std::move(extras.parameters);
  out.outputs.reserve(response.tensors.size());
  const engine::ModelSignature& signature = request.model()->signature();
  const std::size_t batch_rank = signature.batch_size_max > 0 ? 1 : 0;
  for (const WireTensor& tensor : response.tensors) {
    const engine::TensorSpec* const spec = signature.FindOutput(tensor.name);
    if (spec == nullptr) {
      return Internal("unexpected inference output '{}' for model '{}'", tensor.name,
                      request.model()->name());
    }
    if (Wants(request, tensor.name)) {
      HEADRACE_ASSIGN_OR_RETURN(NamedTensor output,
                                CopyOutput(tensor, *spec, batch_rank, request, region));
      out.outputs.push_back(std::move(output));
    }
  }
  HEADRACE_RETURN_IF_ERROR(CheckWanted(request, out.outputs));
  return out;
}

}  // namespace

Answer PrepareAnswer(const WireResponse& response, ResponseExtras extras,
                     engine::InferRequest& request, const DataRegion& region) {
  const bool decoupled = request.model()->options().decoupled;
  Answer answer;
  answer.ends = response.final || !decoupled;
  answer.error = std::move(extras.error);
  if (response.error && answer.ok()) {
    answer.error = Internal("the model gave an error without a text");
  }
  if (!answer.ok()) {
    answer.response.parameters = std::move(extras.parameters);
    return answer;
  }
  answer.is_nothing =
      decoupled && response.final && response.tensors.empty() && extras.parameters.empty();
  if (answer.is_nothing) {
    return answer;
  }
  auto copied = CopyResponse(response, std::move(extras), request, region);
  if (copied.ok()) {
    answer.response = *std::move(copied);
    answer.ends = response.final;
  } else {
    answer.error = copied.status();
  }
  return answer;
}

void Give(Answer answer, engine::InferRequest& request) {
  if (!answer.ok() && answer.ends) {
    if (!answer.response.parameters.empty()) {
      // What a handler says of its failure, for protocols that can tell it.
      answer.response.error = answer.error;
      answer.response.final = true;
      request.Send(std::move(answer.response));
    }
    Fail(request, std::move(answer.error));
    return;
  }
  if (!answer.is_nothing) {
    answer.response.error = std::move(answer.error);
    request.Send(std::move(answer.response));
  }
  if (answer.ends) {
    request.Finish(OkStatus());
  }
}

void ReportExecution(engine::InferRequest& request, bool success,
                     const engine::ExecutionTimes& times) {
  if (request.placeholder) {
    return;  // what fills an empty slot of a sequence batch counts nowhere
  }
  request.model()->statistics().RecordRequestExecution(
      success, times.exec_start - request.times.queued, times,
      static_cast<std::uint64_t>(request.batch_size));
  if (success && request.observer != nullptr) {
    request.observer->OnExecution(times);
  }
  if (request.trace != nullptr) {
    request.trace->Report(engine::TraceActivity::kComputeStart, times.exec_start);
    request.trace->Report(engine::TraceActivity::kComputeInputEnd, times.compute_start);
    request.trace->Report(engine::TraceActivity::kComputeOutputStart, times.compute_end);
    request.trace->Report(engine::TraceActivity::kComputeEnd, times.exec_end);
  }
}

void Fail(engine::InferRequest& request, Status status) {
  const auto reason = status.code() == StatusCode::kCancelled ? engine::FailureReason::kCanceled
                                                              : engine::FailureReason::kBackend;
  request.Finish(std::move(status), reason);
}

}  // namespace headrace::worker
