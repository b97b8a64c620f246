#include "worker/calls.h"

#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/wake_batch.h"
#include "engine/model.h"
#include "tensor/heap_buffer.h"

namespace headrace::worker {
namespace {

Result<std::vector<NamedTensor>> CopyInputs(const WireRequest& call, const DataRegion& region) {
  std::vector<NamedTensor> inputs;
  inputs.reserve(call.tensors.size());
  for (const WireTensor& tensor : call.tensors) {
    HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory, NewHeapBuffer(tensor.byte_size));
    if (tensor.byte_size > 0) {
      std::memcpy(memory.data(), region.At(tensor.offset), tensor.byte_size);
    }
    NamedTensor& input =
        inputs.emplace_back(NamedTensor{.name = std::string(tensor.name), .tensor = {}});
    input.tensor.dtype = tensor.dtype;
    input.tensor.shape = tensor.shape;
    input.tensor.data = std::move(memory).Freeze(tensor.byte_size);
  }
  return inputs;
}

// Why a call was not even begun, in Triton's words and with its code (contracts, Triton 9.3).
Status Refusal(const std::string& model_name, const Status& why) {
  return Internal("Model {} - Error when running inference: {}", model_name, why.message());
}

}  // namespace

// Where the responses to one call go. Those of a call that wants one answer wait for the end, so
// that one message carries both.
class Calls::Sink final : public engine::ResponseSink {
 public:
  Sink(std::shared_ptr<Calls> calls, std::uint64_t key, bool wants_stream, Flag cancelled,
       std::string model_name)
      : calls_(std::move(calls)),
        key_(key),
        wants_stream_(wants_stream),
        cancelled_(std::move(cancelled)),
        model_name_(std::move(model_name)) {}

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return NewHeapBuffer(byte_size);
  }
  void Send(engine::InferResponse response) override {
    if (wants_stream_ && !response.final) {
      calls_->Respond(key_, std::move(response), /*final=*/false);
    } else {
      held_ = std::move(response);
    }
  }
  void Finish(Status status) override {
    if (held_ && status.ok()) {
      calls_->Respond(key_, *std::move(held_), /*final=*/true);
      calls_->End(key_, nullptr);
      return;
    }
    if (held_ && wants_stream_) {
      calls_->Respond(key_, *std::move(held_), /*final=*/false);
    }
    if (!status.ok() && calls_->IsSubmitting()) {
      status = Refusal(model_name_, status);
    }
    calls_->End(key_, &status);
  }
  bool Cancelled() const override { return cancelled_->load(std::memory_order_relaxed); }

 private:
  const std::shared_ptr<Calls> calls_;
  const std::uint64_t key_;
  const bool wants_stream_;
  const Flag cancelled_;
  const std::string model_name_;
  std::optional<engine::InferResponse> held_;
};

Status Calls::Begin(const WireRequest& call, CallExtras extras, HostServices& services) {
  const Flag flag = std::make_shared<std::atomic<bool>>(false);
  {
    std::lock_guard lock(mutex_);
    if (open_.count(call.key) != 0) {
      return InvalidArgument("two calls with the key {}", call.key);
    }
    if (open_.size() < kCountMax) {
      open_.emplace(call.key, flag);
    }
  }
  submitting_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  Status status = Submit(call, extras, services, flag);
  submitting_.store({}, std::memory_order_relaxed);
  if (!status.ok()) {
    status = Refusal(extras.model_name, status);
    End(call.key, &status);
  }
  return OkStatus();
}

Status Calls::Submit(const WireRequest& call, CallExtras& extras, HostServices& services,
                     Flag flag) {
  {
    std::lock_guard lock(mutex_);
    if (open_.count(call.key) == 0) {
      return Unavailable("the model has {} calls of other models under way, more are not allowed",
                         kCountMax);
    }
  }
  const std::optional<std::int64_t> version =
      extras.model_version < 0 ? std::nullopt : std::optional(extras.model_version);
  const auto found = services.FindModel(extras.model_name, version);
  if (!found.ok()) {
    return Internal("Failed for execute the inference request. Model '{}' is not ready.",
                    extras.model_name);
  }
  const engine::ModelHandle& model = *found;
  if (model->options().decoupled && !extras.decoupled) {
    return Unimplemented(
        "Model {} is using the decoupled. The current BLS request call doesn't support models "
        "using the decoupled transaction policy. Please use 'decoupled=True' argument to the "
        "'exec' or 'async_exec' calls for decoupled models.'",
        extras.model_name);
  }
  HEADRACE_ASSIGN_OR_RETURN(std::vector<NamedTensor> inputs, CopyInputs(call, *session_->region));
  auto request = std::make_unique<engine::InferRequest>(
      model, std::make_unique<Sink>(shared_from_this(), call.key,
                                    extras.decoupled && model->options().decoupled, std::move(flag),
                                    extras.model_name));
  request->id = std::move(extras.id);
  request->inputs = std::move(inputs);
  request->wanted_outputs = std::move(extras.wanted_outputs);
  request->parameters = std::move(extras.parameters);
  request->priority = extras.priority;
  request->timeout_us = call.timeout_us;
  request->correlation_id = call.correlation_id;
  request->correlation_id_text = std::move(extras.correlation_id);
  request->sequence_flags = call.sequence_flags;
  if (extras.parent) {
    if (const auto trace = session_->open.TraceOf(*extras.parent)) {
      request->trace = trace->SpawnChild();
    }
  }
  model->Submit(std::move(request));
  WakeBatch::FlushCurrent();
  return OkStatus();
}

void Calls::Respond(std::uint64_t key, engine::InferResponse response, bool final) {
  if (session_->ended()) {
    return;
  }
  DataRegion& region = *session_->region;
  std::vector<WireTensor> tensors;
  Status error = std::move(response.error);
  const auto give_back = [&] {
    for (const WireTensor& tensor : tensors) {
      if (tensor.byte_size > 0) {
        region.Free(tensor.offset);
      }
    }
    tensors.clear();
  };
  for (const NamedTensor& output : response.outputs) {
    const std::size_t byte_size = output.tensor.byte_size();
    Result<std::uint64_t> offset =
        byte_size == 0 ? Result<std::uint64_t>(std::uint64_t{0}) : region.Allocate(byte_size);
    if (!offset.ok()) {
      error = offset.status();
      break;
    }
    std::size_t at = 0;
    for (std::size_t i = 0; i < output.tensor.fragment_count(); ++i) {
      if (const Buffer& fragment = output.tensor.fragment(i); !fragment.empty()) {
        std::memcpy(region.At(*offset + at), fragment.data(), fragment.size());
        at += fragment.size();
      }
    }
    tensors.push_back({.offset = *offset,
                       .byte_size = byte_size,
                       .dtype = output.tensor.dtype,
                       .shape = output.tensor.shape,
                       .name = output.name});
  }
  if (!error.ok()) {
    give_back();
  }
  std::string body;
  AppendResponseCount(body, 1);
  const std::string extras = EncodeResponseExtras(error, response.parameters);
  AppendResponse(
      body,
      {.key = key, .final = final, .error = !error.ok(), .tensors = tensors, .extras = extras});
  if (!session_->sender.Send(MessageType::kCallResponse, std::move(body)).ok()) {
    give_back();
    Cancel(key);
  }
}

void Calls::End(std::uint64_t key, const Status* status) {
  if (status != nullptr) {
    engine::InferResponse last;
    last.error = *status;
    Respond(key, std::move(last), /*final=*/true);
  }
  std::lock_guard lock(mutex_);
  open_.erase(key);
}

void Calls::Cancel(std::uint64_t key) {
  std::lock_guard lock(mutex_);
  if (const auto found = open_.find(key); found != open_.end()) {
    found->second->store(true, std::memory_order_relaxed);
  }
}

void Calls::CancelAll() {
  std::lock_guard lock(mutex_);
  for (const auto& [key, flag] : open_) {
    flag->store(true, std::memory_order_relaxed);
  }
}

}  // namespace headrace::worker
