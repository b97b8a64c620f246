#include "plugin/server_request.h"

#include <cstring>
#include <thread>
#include <utility>

#include "base/checked_math.h"
#include "base/wake_batch.h"

TRITONSERVER_InferenceRequest::Input* TRITONSERVER_InferenceRequest::FindInput(const char* name) {
  for (Input& input : inputs) {
    if (input.name == name) {
      return &input;
    }
  }
  return nullptr;
}

namespace headrace::plugin {
namespace {

// The server's hold of a caller's request: shared by the request's sink and by every buffer of its
// inputs, wherever they got to. The last of them gives the request back.
class Lease {
 public:
  explicit Lease(TRITONSERVER_InferenceRequest& request) : request_(&request) {}
  ~Lease() {
    if (request_ != nullptr && request_->release != nullptr) {
      request_->release(request_, TRITONSERVER_REQUEST_RELEASE_ALL, request_->release_userp);
    }
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  // The caller keeps the request.
  void Cancel() { request_ = nullptr; }

 private:
  TRITONSERVER_InferenceRequest* request_;
};

// What Submit itself said about a request that it refused.
struct Submission {
  std::thread::id thread = std::this_thread::get_id();
  std::atomic<bool> under_way{true};
  Status refusal;
};

// Hands responses to the caller's function. Those of ordinary models wait for the request's end, so
// that the one call carries response and final flag; those of decoupled models go at once.
class CallerSink final : public engine::ResponseSink {
 public:
  CallerSink(const TRITONSERVER_InferenceRequest& request, std::shared_ptr<Lease> lease,
             std::shared_ptr<Submission> submission)
      : model_(request.model),
        id_(request.id),
        allocator_(request.allocator),
        allocator_userp_(request.allocator_userp),
        respond_(request.respond),
        respond_userp_(request.respond_userp),
        cancelled_(request.cancelled),
        lease_(std::move(lease)),
        submission_(std::move(submission)) {}

  Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) override {
    if (!started_ && allocator_->start != nullptr) {
      HEADRACE_RETURN_IF_ERROR(TakeTriton(allocator_->start(allocator_, allocator_userp_)));
    }
    started_ = true;
    return AllocateByCaller(allocator_, allocator_userp_, std::string(name).c_str(), byte_size);
  }

  void Send(engine::InferResponse response) override {
    const bool final = response.final;
    std::unique_ptr<TRITONSERVER_InferenceResponse> out = Convert(std::move(response));
    started_ = false;
    if (!model_->options().decoupled) {
      held_ = std::move(out);
      return;
    }
    ended_ = final;
    Deliver(std::move(out), final);
  }

  void Finish(Status status) override {
    if (Submission* const submission = submission_.get();
        !status.ok() && submission->under_way.load(std::memory_order_acquire) &&
        submission->thread == std::this_thread::get_id()) {
      submission->refusal = std::move(status);
      lease_->Cancel();
      return;
    }
    if (ended_) {
      return;
    }
    if (!status.ok()) {
      held_ = Fresh();
      held_->error = std::move(status);
    }
    Deliver(std::move(held_), true);
  }

  bool Cancelled() const override { return cancelled_->load(std::memory_order_relaxed); }

 private:
  std::unique_ptr<TRITONSERVER_InferenceResponse> Fresh() const {
    auto response = std::make_unique<TRITONSERVER_InferenceResponse>();
    response->model = model_;
    response->id = id_;
    return response;
  }

  std::unique_ptr<TRITONSERVER_InferenceResponse> Convert(engine::InferResponse response) {
    std::unique_ptr<TRITONSERVER_InferenceResponse> out = Fresh();
    Status status = std::move(response.error);
    for (NamedTensor& output : response.outputs) {
      if (status.ok()) {
        status = BringToCaller(output);
      }
    }
    if (!status.ok()) {
      out->error = std::move(status);
      return out;
    }
    out->parameters = std::move(response.parameters);
    out->outputs = std::move(response.outputs);
    return out;
  }

  // Outputs that were not written into the caller's memory (a step of an ensemble, a cached answer)
  // are copied there.
  Status BringToCaller(NamedTensor& output) {
    Tensor& tensor = output.tensor;
    if (tensor.more_fragments.empty() && FindCallerMemory(tensor.data) != nullptr) {
      return OkStatus();
    }
    HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory,
                              AllocateOutput(output.name, tensor.byte_size()));
    std::size_t offset = 0;
    for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
      if (const Buffer& fragment = tensor.fragment(i); !fragment.empty()) {
        std::memcpy(memory.data() + offset, fragment.data(), fragment.size());
        offset += fragment.size();
      }
    }
    tensor.data = std::move(memory).Freeze();
    tensor.more_fragments.clear();
    return OkStatus();
  }

  void Deliver(std::unique_ptr<TRITONSERVER_InferenceResponse> response, bool final) const {
    respond_(response.release(), final ? TRITONSERVER_RESPONSE_COMPLETE_FINAL : 0, respond_userp_);
  }

  const engine::ModelHandle model_;
  const std::string id_;
  TRITONSERVER_ResponseAllocator* const allocator_;
  void* const allocator_userp_;
  const TRITONSERVER_InferenceResponseCompleteFn_t respond_;
  void* const respond_userp_;
  const std::shared_ptr<std::atomic<bool>> cancelled_;
  const std::shared_ptr<Lease> lease_;
  const std::shared_ptr<Submission> submission_;
  bool started_ = false;  // the allocator has heard of the response that is being made
  bool ended_ = false;    // the final flag is out
  std::unique_ptr<TRITONSERVER_InferenceResponse> held_;
};

// The type and shape of an input that only has bytes: that of the model's only input, where at most
// one dimension is open (contracts, Triton 1.7).
Status Deduce(const engine::Model& model, TRITONSERVER_InferenceRequest::Input& input,
              std::size_t byte_size) {
  const engine::ModelSignature& signature = model.signature();
  if (signature.inputs.size() != 1) {
    return InvalidArgument(
        "Raw request must only have 1 input (found 1) to be deduced but got {} inputs in '{}' "
        "model configuration",
        signature.inputs.size(), model.name());
  }
  const engine::TensorSpec& spec = signature.inputs.front();
  input.dtype = spec.dtype;
  if (spec.dtype == DataType::kBytes) {
    return InvalidArgument("the shape of raw input '{}' cannot be deduced: its elements are BYTES",
                           input.name);
  }
  Shape shape;
  if (signature.batch_size_max > 0) {
    (void)shape.Append(1);
  }
  std::size_t known = DataTypeByteSize(spec.dtype), open = SIZE_MAX;
  for (const std::int64_t dim : spec.dims) {
    if (dim < 0 && open != SIZE_MAX) {
      return InvalidArgument(
          "the shape of raw input '{}' cannot be deduced: it has more than one "
          "variable dimension",
          input.name);
    }
    if (dim < 0) {
      open = shape.rank();
    } else {
      known = CheckedMultiply(known, static_cast<std::size_t>(dim)).value_or(0);
    }
    (void)shape.Append(std::max<std::int64_t>(dim, 0));
  }
  if (open == SIZE_MAX) {
    input.shape = shape;
    return OkStatus();
  }
  Shape deduced;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    (void)deduced.Append(i != open    ? shape[i]
                         : known == 0 ? 0
                                      : static_cast<std::int64_t>(byte_size / known));
  }
  input.shape = deduced;
  return OkStatus();
}

Result<NamedTensor> ToTensor(const engine::Model& model,
                             TRITONSERVER_InferenceRequest::Input& input,
                             const std::shared_ptr<Lease>& lease) {
  NamedTensor named{.name = input.name, .tensor = {}};
  Tensor& tensor = named.tensor;
  std::size_t byte_size = 0;
  for (std::size_t i = 0; i < input.pieces.size(); ++i) {
    const TRITONSERVER_InferenceRequest::Piece& piece = input.pieces[i];
    if (piece.memory_kind == MemoryKind::kGpu) {
      return Unimplemented(
          "input '{}' lies in GPU memory; this server takes inputs of in-process "
          "requests from host memory",
          input.name);
    }
    byte_size += piece.byte_size;
    Buffer buffer = Buffer::Shared(lease, piece.base, piece.byte_size);
    if (i == 0) {
      tensor.data = std::move(buffer);
    } else {
      tensor.more_fragments.push_back(std::move(buffer));
    }
  }
  if (input.raw) {
    HEADRACE_RETURN_IF_ERROR(Deduce(model, input, byte_size));
  }
  tensor.dtype = input.dtype;
  tensor.shape = input.shape;
  return named;
}

}  // namespace

Status SubmitInProcess(TRITONSERVER_InferenceRequest& request,
                       std::shared_ptr<engine::RequestTrace> trace) {
  if (request.respond == nullptr || request.allocator == nullptr ||
      request.allocator->alloc == nullptr || request.release == nullptr) {
    return InvalidArgument(
        "the request for model '{}' has no release callback, or no response callback with an "
        "allocator; set both before it is submitted",
        request.model->name());
  }
  request.cancelled->store(false, std::memory_order_relaxed);
  auto lease = std::make_shared<Lease>(request);
  auto submission = std::make_shared<Submission>();
  std::vector<NamedTensor> inputs;
  inputs.reserve(request.inputs.size());
  for (TRITONSERVER_InferenceRequest::Input& input : request.inputs) {
    Result<NamedTensor> tensor = ToTensor(*request.model, input, lease);
    if (!tensor.ok()) {
      lease->Cancel();
      return tensor.status();
    }
    inputs.push_back(*std::move(tensor));
  }
  auto engine_request = std::make_unique<engine::InferRequest>(
      request.model, std::make_unique<CallerSink>(request, std::move(lease), submission));
  engine_request->id = request.id;
  engine_request->inputs = std::move(inputs);
  engine_request->wanted_outputs = request.wanted_outputs;
  engine_request->parameters = request.parameters;
  engine_request->priority = request.priority;
  engine_request->timeout_us = request.timeout_us;
  engine_request->correlation_id = request.correlation_id;
  engine_request->correlation_id_text = request.correlation_id_text;
  engine_request->sequence_flags = request.flags;
  engine_request->trace = std::move(trace);
  // `request` may be gone when Submit returns: the last word about it may have been said.
  const engine::ModelHandle model = request.model;
  model->Submit(std::move(engine_request));
  submission->under_way.store(false, std::memory_order_release);
  // An instance thread that calls another model may wait for it: what it owes must not wait.
  WakeBatch::FlushCurrent();
  return submission->refusal;
}

}  // namespace headrace::plugin
