#include "plugin/request_handle.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "engine/model.h"
#include "engine/reshape.h"
#include "engine/sequence_step.h"
#include "tensor/heap_buffer.h"

namespace headrace::plugin {
namespace {

// Responses that one request keeps idle before the oldest is used again.
constexpr std::size_t kResponsesQuarantined = 4;

const engine::ModelSignature* SignatureOf(const engine::InferRequest& request) {
  return request.model() == nullptr ? nullptr : &request.model()->execution_signature();
}

// Bytes that the output's type and shape call for; nothing for BYTES, which may have any.
Result<std::optional<std::size_t>> ExpectedByteSize(const TRITONBACKEND_Output& output) {
  const std::optional<std::int64_t> count = output.shape.ElementCount();
  if (!count) {
    return InvalidArgument("output '{}' has the impossible shape {}", output.name,
                           output.shape.ToString());
  }
  if (output.dtype == DataType::kBytes) {
    return std::optional<std::size_t>();
  }
  const auto byte_size =
      CheckedMultiply(static_cast<std::size_t>(*count), DataTypeByteSize(output.dtype));
  if (!byte_size) {
    return InvalidArgument("output '{}' has the impossible shape {}", output.name,
                           output.shape.ToString());
  }
  return std::optional<std::size_t>(*byte_size);
}

}  // namespace

void RequestPool::Begin(std::vector<std::unique_ptr<engine::InferRequest>>& requests,
                        std::vector<TRITONBACKEND_Request*>& handles,
                        engine::FailedRequests* failed) {
  {
    std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      // An idle handle is taken only while as many others stay idle: a handle that was just given
      // back rests.
      if (idle_.size() > requests.size()) {
        handles.push_back(idle_.front());
        idle_.pop_front();
      } else {
        handles.push_back(all_.emplace_back(std::make_unique<TRITONBACKEND_Request>()).get());
      }
    }
  }
  const std::shared_ptr<RequestPool> self = shared_from_this();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    handles[handles.size() - requests.size() + i]->Begin(std::move(requests[i]), self, failed);
  }
}

void RequestPool::Return(TRITONBACKEND_Request* handle) {
  std::lock_guard lock(mutex_);
  idle_.push_back(handle);
}

std::size_t RequestPool::TakeBackAll(const Status& status) {
  std::vector<TRITONBACKEND_Request*> in_use;
  {
    std::lock_guard lock(mutex_);
    for (const auto& handle : all_) {
      if (std::find(idle_.begin(), idle_.end(), handle.get()) == idle_.end()) {
        in_use.push_back(handle.get());
      }
    }
  }
  for (TRITONBACKEND_Request* handle : in_use) {
    handle->TakeBack(status);
  }
  return in_use.size();
}

}  // namespace headrace::plugin

using headrace::InvalidArgument;
using headrace::OkStatus;
using headrace::Result;
using headrace::Shape;
using headrace::Status;
using headrace::plugin::RequestPool;

void TRITONBACKEND_Request::Begin(std::unique_ptr<headrace::engine::InferRequest> request,
                                  std::shared_ptr<RequestPool> pool,
                                  headrace::engine::FailedRequests* failed) {
  request_ = std::move(request);
  failed_ = failed;
  sent_ = false;
  withheld_ = false;
  pool_ = std::move(pool);
  references_ = 1;
  responses_begun_ = 0;
  responses_reported_ = 0;
  rescheduled_ = false;
  BindInputs();
  in_use_.store(true, std::memory_order_relaxed);
  held_.store(true, std::memory_order_release);
}

void TRITONBACKEND_Request::BindInputs() {
  inputs_.resize(request_->inputs.size());
  const headrace::engine::ModelSignature* signature = headrace::plugin::SignatureOf(*request_);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const headrace::NamedTensor& tensor = request_->inputs[i];
    TRITONBACKEND_Input& input = inputs_[i];
    input.tensor = &tensor;
    input.shape = tensor.tensor.shape;
    input.byte_size = tensor.tensor.byte_size();
    const headrace::engine::TensorSpec* spec =
        signature == nullptr ? nullptr : signature->FindInput(tensor.name);
    if (spec != nullptr && spec->reshape) {
      const std::size_t batch_rank = signature->batch_size_max > 0 ? 1 : 0;
      if (auto shape =
              headrace::engine::Reshape(input.shape, spec->dims, *spec->reshape, batch_rank)) {
        input.shape = *shape;
      }
    }
  }
}

TRITONSERVER_InferenceTrace* TRITONBACKEND_Request::trace_handle() {
  Lock lock(mutex_);
  return headrace::plugin::HandleOf(request_->trace, shown_trace_);
}

std::uint32_t TRITONBACKEND_Request::wanted_output_count() const {
  if (!request_->wanted_outputs.empty()) {
    return static_cast<std::uint32_t>(request_->wanted_outputs.size());
  }
  const auto* signature = headrace::plugin::SignatureOf(*request_);
  return signature == nullptr ? 0 : static_cast<std::uint32_t>(signature->outputs.size());
}

const std::string& TRITONBACKEND_Request::wanted_output(std::uint32_t index) const {
  return request_->wanted_outputs.empty()
             ? headrace::plugin::SignatureOf(*request_)->outputs[index].name
             : request_->wanted_outputs[index];
}

bool TRITONBACKEND_Request::Wants(const std::string& output) const {
  const auto& wanted = request_->wanted_outputs;
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), output) != wanted.end();
}

Status TRITONBACKEND_Request::Release() {
  Lock lock(mutex_);
  if (!held()) {
    return InvalidArgument("the request was released before");
  }
  held_.store(false, std::memory_order_release);
  Unreference(std::move(lock));
  return OkStatus();
}

Status TRITONBACKEND_Request::Reschedule() {
  Lock lock(mutex_);
  if (!held()) {
    return InvalidArgument("the request was released before");
  }
  if (request_->step == nullptr || !request_->step->MayReschedule()) {
    return InvalidArgument(
        "a request is rescheduled only for a model whose sequence_batching says "
        "iterative_sequence: true");
  }
  if (ended()) {
    return InvalidArgument("a request that has had its final response cannot be rescheduled");
  }
  rescheduled_ = true;
  held_.store(false, std::memory_order_release);
  Unreference(std::move(lock));
  return OkStatus();
}

Result<TRITONBACKEND_State*> TRITONBACKEND_Request::NewState(const char* name,
                                                             headrace::DataType dtype,
                                                             const Shape& shape) {
  Lock lock(mutex_);
  if (!held()) {
    return InvalidArgument("a state for a request that was released");
  }
  if (request_->step == nullptr || !request_->step->HasState(name)) {
    return headrace::Unavailable(
        "the model has no state with the output '{}' in its sequence_batching", name);
  }
  TRITONBACKEND_State* state = nullptr;
  for (TRITONBACKEND_State& made : states_) {
    state = made.name == name ? &made : state;
  }
  if (state == nullptr) {
    state = &states_.emplace_back();
  }
  state->request = this;
  state->name = name;
  state->dtype = dtype;
  state->shape = shape;
  state->buffer = headrace::MutableBuffer();
  return state;
}

Result<std::byte*> TRITONBACKEND_Request::AllocateState(TRITONBACKEND_State* state,
                                                        std::uint64_t byte_size) {
  HEADRACE_ASSIGN_OR_RETURN(state->buffer, headrace::NewHeapBuffer(byte_size));
  state->attributes = {};
  state->attributes.byte_size = byte_size;
  return state->buffer.data();
}

Status TRITONBACKEND_Request::UpdateState(TRITONBACKEND_State* state) {
  TRITONBACKEND_Request& self = *state->request;
  Lock lock(self.mutex_);
  if (!self.held()) {
    return InvalidArgument("a state of a request that was released");
  }
  const auto count = state->shape.ElementCount();
  const auto byte_size = count ? headrace::CheckedMultiply(static_cast<std::size_t>(*count),
                                                           headrace::DataTypeByteSize(state->dtype))
                               : std::nullopt;
  const bool fixed_size = state->dtype != headrace::DataType::kBytes;
  if (!byte_size || (fixed_size && *byte_size != state->buffer.size())) {
    return InvalidArgument("state '{}' of shape {} was given {} bytes", state->name,
                           state->shape.ToString(), state->buffer.size());
  }
  headrace::Tensor value;
  value.dtype = state->dtype;
  value.shape = state->shape;
  value.data = std::move(state->buffer).Freeze();
  return self.request_->step->UpdateState(state->name, std::move(value));
}

void TRITONBACKEND_Request::Unreference(Lock lock) {
  if (--references_ > 0) {
    return;
  }
  states_.clear();
  if (rescheduled_ && !request_->finished()) {
    headrace::engine::SequenceStep& step = *request_->step;
    std::unique_ptr<headrace::engine::InferRequest> again = std::move(request_);
    const std::shared_ptr<RequestPool> pool = std::move(pool_);
    in_use_.store(false, std::memory_order_release);
    lock.unlock();
    pool->Return(this);
    step.Reschedule(std::move(again));
    return;
  }
  if (withheld_) {
    if (failed_ != nullptr) {
      failed_->Add(std::move(request_), std::move(withheld_error_));
    } else {
      Finish(std::move(withheld_error_));
    }
  } else if (!request_->finished()) {
    Finish(headrace::Internal("the backend released the request without a final response"));
  }
  shown_trace_.own.reset();
  const std::unique_ptr<headrace::engine::InferRequest> ended = std::move(request_);
  const std::shared_ptr<RequestPool> pool = std::move(pool_);
  in_use_.store(false, std::memory_order_release);  // nothing is added to failed_ any more
  lock.unlock();
  pool->Return(this);
  // `ended` may be the last to hold the model; it goes when nothing here is touched any more.
}

void TRITONBACKEND_Request::Finish(Status status) {
  if (status.ok()) {
    request_->Finish(OkStatus());
    return;
  }
  const auto reason = status.code() == headrace::StatusCode::kCancelled
                          ? headrace::engine::FailureReason::kCanceled
                          : headrace::engine::FailureReason::kBackend;
  request_->Finish(std::move(status), reason);
}

std::uint64_t TRITONBACKEND_Request::NextReportedResponse() {
  Lock lock(mutex_);
  return responses_reported_++;
}

void TRITONBACKEND_Request::Fail(Status error) {
  if (failed_ == nullptr || sent_) {
    Finish(std::move(error));
    return;
  }
  withheld_ = true;
  withheld_error_ = std::move(error);
}

void TRITONBACKEND_Request::Settle() {
  if (!in_use_.load(std::memory_order_acquire)) {
    return;
  }
  Lock lock(mutex_);
  failed_ = nullptr;
  if (std::exchange(withheld_, false) && request_ != nullptr) {
    Finish(std::move(withheld_error_));
  }
}

void TRITONBACKEND_Request::TakeBack(const Status& status) {
  Lock lock(mutex_);
  if (request_ != nullptr && !ended()) {
    Fail(status);
  }
  if (held()) {
    held_.store(false, std::memory_order_release);
    Unreference(std::move(lock));
  }
}

Result<TRITONBACKEND_Response*> TRITONBACKEND_Request::NewResponse(bool from_factory) {
  Lock lock(mutex_);
  if (!from_factory && !held()) {
    return InvalidArgument("a response for a request that was released");
  }
  if (ended()) {
    return InvalidArgument("a response for a request that has ended");
  }
  TRITONBACKEND_Response* response = nullptr;
  // The first response of an execution needs no rest: the handle itself has rested.
  if (!responses_.empty() &&
      (responses_begun_ == 0 || responses_.size() > headrace::plugin::kResponsesQuarantined)) {
    for (std::size_t tried = 0; tried < responses_.size() && response == nullptr; ++tried) {
      next_response_ = (next_response_ + 1) % responses_.size();
      if (responses_[next_response_]->request == nullptr) {
        response = responses_[next_response_].get();
      }
    }
  }
  if (response == nullptr) {
    response = responses_.emplace_back(std::make_unique<TRITONBACKEND_Response>()).get();
  }
  response->request = this;
  response->fault = OkStatus();
  ++responses_begun_;
  ++references_;
  return response;
}

void TRITONBACKEND_Request::Idle(TRITONBACKEND_Response* response) {
  for (std::size_t i = 0; i < response->output_count; ++i) {
    response->outputs[i].buffer = headrace::MutableBuffer();
  }
  response->output_count = 0;
  response->parameters.clear();
  response->request = nullptr;
}

void TRITONBACKEND_Request::SendLocked(TRITONBACKEND_Response* response, bool final, Status error) {
  if (error.ok()) {
    error = response->fault;
  }
  for (std::size_t i = 0; i < response->output_count && error.ok(); ++i) {
    const TRITONBACKEND_Output& output = response->outputs[i];
    if (!output.has_buffer && output.shape.ElementCount().value_or(1) != 0) {
      error = headrace::Internal("the backend gave no data for output '{}'", output.name);
    }
  }
  headrace::engine::InferResponse out;
  if (!error.ok()) {
    const auto& model = request_->model();
    if (final || model == nullptr || !model->options().decoupled) {
      Fail(std::move(error));
      return;
    }
    sent_ = true;
    out.error = std::move(error);
    request_->Send(std::move(out));
    return;
  }
  out.outputs.reserve(response->output_count);
  for (std::size_t i = 0; i < response->output_count; ++i) {
    TRITONBACKEND_Output& output = response->outputs[i];
    if (!Wants(output.name)) {
      continue;
    }
    headrace::NamedTensor& tensor = out.outputs.emplace_back();
    tensor.name = output.name;
    tensor.tensor.dtype = output.dtype;
    tensor.tensor.shape = output.shape;
    tensor.tensor.data = std::move(output.buffer).Freeze();
  }
  out.parameters = std::move(response->parameters);
  out.final = final;
  sent_ = true;
  request_->Send(std::move(out));
  if (final) {
    Finish(OkStatus());
  }
}

Status TRITONBACKEND_Request::Send(TRITONBACKEND_Response* response, bool final, Status error) {
  TRITONBACKEND_Request* const self = response->request;
  if (self == nullptr) {
    return InvalidArgument("the response was sent or deleted before");
  }
  Lock lock(self->mutex_);
  Status result;
  if (self->ended()) {
    result = InvalidArgument("a response was sent after the request's final one");
  } else {
    self->SendLocked(response, final, std::move(error));
  }
  Idle(response);
  self->Unreference(std::move(lock));
  return result;
}

Status TRITONBACKEND_Request::Delete(TRITONBACKEND_Response* response) {
  TRITONBACKEND_Request* const self = response->request;
  if (self == nullptr) {
    return InvalidArgument("the response was sent or deleted before");
  }
  Lock lock(self->mutex_);
  Idle(response);
  self->Unreference(std::move(lock));
  return OkStatus();
}

Result<TRITONBACKEND_ResponseFactory*> TRITONBACKEND_Request::NewFactory() {
  Lock lock(mutex_);
  if (!held()) {
    return InvalidArgument("a response factory for a request that was released");
  }
  ++references_;
  return new TRITONBACKEND_ResponseFactory{this};
}

Status TRITONBACKEND_Request::FinishByFactory() {
  Lock lock(mutex_);
  if (ended()) {
    return InvalidArgument("the final flag was sent after the request's end");
  }
  Finish(OkStatus());
  return OkStatus();
}

void TRITONBACKEND_Request::Delete(TRITONBACKEND_ResponseFactory* factory) {
  TRITONBACKEND_Request* const self = factory->request;
  delete factory;
  self->Unreference(Lock(self->mutex_));
}

Result<TRITONBACKEND_Output*> TRITONBACKEND_Request::AddOutput(TRITONBACKEND_Response* response,
                                                               const char* name,
                                                               headrace::DataType dtype,
                                                               const Shape& shape) {
  TRITONBACKEND_Request* const self = response->request;
  if (self == nullptr) {
    return InvalidArgument("an output for a response that was sent or deleted");
  }
  const auto* signature = headrace::plugin::SignatureOf(*self->request_);
  const headrace::engine::TensorSpec* spec =
      signature == nullptr ? nullptr : signature->FindOutput(name);
  if (signature != nullptr && spec == nullptr) {
    response->fault = headrace::Internal("unexpected inference output '{}' for model '{}'", name,
                                         self->request_->model()->name());
    return response->fault;
  }
  if (response->output_count == response->outputs.size()) {
    response->outputs.emplace_back();
  }
  TRITONBACKEND_Output& output = response->outputs[response->output_count];
  output.name = name;
  output.dtype = dtype;
  output.shape = shape;
  output.response = response;
  output.buffer = headrace::MutableBuffer();
  output.has_buffer = false;
  if (spec != nullptr && spec->reshape) {
    const std::size_t batch_rank = signature->batch_size_max > 0 ? 1 : 0;
    if (auto outside = headrace::engine::Reshape(shape, *spec->reshape, spec->dims, batch_rank)) {
      output.shape = *outside;
    }
  }
  ++response->output_count;
  return &output;
}

Result<std::byte*> TRITONBACKEND_Request::AllocateOutput(TRITONBACKEND_Output* output,
                                                         std::uint64_t byte_size) {
  TRITONBACKEND_Request* const self =
      output->response == nullptr ? nullptr : output->response->request;
  if (self == nullptr) {
    return InvalidArgument("a buffer for an output of a response that was sent or deleted");
  }
  const auto refuse = [&](Status status) {
    output->response->fault = status;
    return status;
  };
  if (output->has_buffer) {
    return refuse(InvalidArgument("a second buffer for output '{}'", output->name));
  }
  const auto expected = headrace::plugin::ExpectedByteSize(*output);
  if (!expected.ok()) {
    return refuse(expected.status());
  }
  if (expected.value() && **expected != byte_size) {
    return refuse(InvalidArgument("output '{}' of shape {} needs {} bytes; the backend asks for {}",
                                  output->name, output->shape.ToString(), **expected, byte_size));
  }
  Lock lock(self->mutex_);
  if (self->ended()) {
    return InvalidArgument("a buffer for an output of a request that has ended");
  }
  Result<headrace::MutableBuffer> buffer =
      self->request_->sink().AllocateOutput(output->name, byte_size);
  if (!buffer.ok()) {
    return refuse(buffer.status());
  }
  output->buffer = std::move(buffer).value();
  output->has_buffer = true;
  output->attributes = {};
  output->attributes.byte_size = byte_size;
  if (output->buffer.page_locked()) {
    output->attributes.memory_type = TRITONSERVER_MEMORY_CPU_PINNED;
  }
  return output->buffer.data();
}
