#include "frontend/grpc_stream.h"

#include <utility>

#include "frontend/grpc_handlers.h"
#include "frontend/grpc_infer.h"
#include "frontend/infer_reply.h"
#include "protocol/v2_proto.h"

namespace headrace::frontend {
namespace {

constexpr std::string_view kStrictMetadata = "triton_grpc_error";

}  // namespace

// What of a request is needed until its end. The loop's, but for `failed`.
struct GrpcInferStream::Request {
  engine::ModelHandle model;  // null if it was not found
  std::string model_name;     // as the client named it
  std::string model_version;
  InferReplyPlan plan;
  bool decoupled = false;
  bool wants_empty_final = false;
  bool final_sent = false;
  std::uint64_t slot = 0;           // of an ordinary one
  std::atomic<bool> failed{false};  // any thread: what it still sends is dropped
  std::atomic<bool> overflowed{false};

  // Of an ordinary one, kept until the end: written by whoever finishes it, before the loop sees
  // it.
  std::optional<engine::InferResponse> response;
  std::size_t response_count = 0;
};

class GrpcInferStream::ResponseTask final : public net::LoopTask {
 public:
  ResponseTask(std::shared_ptr<GrpcInferStream> stream, std::shared_ptr<Request> request,
               engine::InferResponse response, std::uint64_t byte_size)
      : stream_(std::move(stream)),
        request_(std::move(request)),
        response_(std::move(response)),
        byte_size_(byte_size) {}

  void Run() override {
    stream_->posted_bytes_.Remove(byte_size_);
    stream_->OnResponse(*request_, std::move(response_));
  }

 private:
  const std::shared_ptr<GrpcInferStream> stream_;
  const std::shared_ptr<Request> request_;
  engine::InferResponse response_;
  const std::uint64_t byte_size_;
};

class GrpcInferStream::FinishTask final : public net::LoopTask {
 public:
  FinishTask(std::shared_ptr<GrpcInferStream> stream, std::shared_ptr<Request> request,
             Status status)
      : stream_(std::move(stream)), request_(std::move(request)), status_(std::move(status)) {}

  void Run() override { stream_->OnFinish(*request_, std::move(status_)); }

 private:
  const std::shared_ptr<GrpcInferStream> stream_;
  const std::shared_ptr<Request> request_;
  Status status_;
};

class GrpcInferStream::Sink final : public engine::ResponseSink {
 public:
  Sink(std::shared_ptr<GrpcInferStream> stream, std::shared_ptr<Request> request)
      : stream_(std::move(stream)), request_(std::move(request)) {}

  ~Sink() override {
    if (!finished_) {
      Finish(Internal("the request was dropped without an answer"));
    }
  }

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return stream_->services_.pool.Allocate(byte_size);
  }

  void Send(engine::InferResponse response) override {
    if (!request_->decoupled) {
      if (request_->response_count++ == 0) {
        request_->response = std::move(response);
      }
      return;
    }
    if (Cancelled()) {
      return;
    }
    const std::uint64_t byte_size = ByteSizeOf(response);
    if (!stream_->posted_bytes_.Add(byte_size,
                                    stream_->services_.options.grpc_stream_unsent_byte_size_max)) {
      // The loop does not keep up. What is posted already goes out; this and the rest do not.
      request_->overflowed.store(true, std::memory_order_relaxed);
      return;
    }
    stream_->loop_.Post(
        std::make_unique<ResponseTask>(stream_, request_, std::move(response), byte_size));
  }

  void Finish(Status status) override {
    finished_ = true;
    stream_->loop_.Post(std::make_unique<FinishTask>(stream_, request_, std::move(status)));
  }

  bool Cancelled() const override {
    return stream_->over_.load(std::memory_order_relaxed) ||
           request_->failed.load(std::memory_order_relaxed) ||
           request_->overflowed.load(std::memory_order_relaxed);
  }

 private:
  const std::shared_ptr<GrpcInferStream> stream_;
  const std::shared_ptr<Request> request_;
  bool finished_ = false;
};

GrpcInferStream::GrpcInferStream(net::GrpcCall& call, const Services& services)
    : call_(&call),
      loop_(call.loop()),
      services_(services),
      strict_(MetadataValue(call.head(), kStrictMetadata) == "true") {
  services_.grpc_cells.streams.fetch_add(1, std::memory_order_relaxed);
}

GrpcInferStream::~GrpcInferStream() {
  services_.grpc_cells.streams.fetch_sub(1, std::memory_order_relaxed);
}

void GrpcInferStream::OnRequest(GrpcContext& context) {
  PreparedInfer prepared;
  if (services_.draining.load(std::memory_order_relaxed)) {
    prepared.status =
        Unavailable("GRPC server is shutting down and has stopped accepting new requests.");
  } else {
    prepared = PrepareGrpcInfer(context, /*allow_decoupled=*/true);
  }
  auto request = std::make_shared<Request>();
  request->model = prepared.model;
  request->model_name = prepared.target.model_name;
  request->model_version = prepared.target.model_version;
  request->plan.id = prepared.target.id;
  request->decoupled = prepared.model != nullptr && prepared.model->options().decoupled;
  ++in_flight_;
  services_.grpc_cells.stream_requests.fetch_add(1, std::memory_order_relaxed);
  if (!request->decoupled) {
    request->slot = first_slot_ + slots_.size();
    slots_.emplace_back();
  }
  if (!prepared.status.ok()) {
    OnFinish(*request, std::move(prepared.status));
    return;
  }
  request->plan = TakeReplyPlan(prepared.request.message);
  request->plan.trace = prepared.trace;
  request->wants_empty_final = prepared.request.wants_empty_final_response;
  std::vector<std::string> wanted = WantedOutputs(request->plan);
  auto sink = std::make_unique<Sink>(shared_from_this(), std::move(request));
  SubmitGrpcInfer(context, std::move(prepared), std::move(wanted), std::move(sink));
  Settle();
}

void GrpcInferStream::OnHalfClose() {
  half_closed_ = true;
  Settle();
}

void GrpcInferStream::OnCancel() {
  over_.store(true, std::memory_order_relaxed);
  call_ = nullptr;
  slots_.clear();
}

void GrpcInferStream::OnDrained() { Settle(); }

void GrpcInferStream::OnResponse(Request& request, engine::InferResponse response) {
  if (call_ == nullptr || request.failed.load(std::memory_order_relaxed)) {
    return;
  }
  const bool final = response.final;
  Status status;
  net::GrpcMessage message = Encode(request, response, final, status);
  if (status.ok() &&
      call_->unsent_byte_size() > services_.options.grpc_stream_unsent_byte_size_max) {
    request.overflowed.store(true, std::memory_order_relaxed);
    return;  // its end tells
  }
  if (!status.ok()) {
    if (SendFailure(std::move(message), status)) {
      Settle();
    }
    return;
  }
  request.final_sent = final;
  SendMessage(std::move(message));
  Settle();
}

void GrpcInferStream::OnFinish(Request& request, Status status) {
  --in_flight_;
  services_.grpc_cells.stream_requests.fetch_sub(1, std::memory_order_relaxed);
  if (call_ == nullptr) {
    return;
  }
  if (request.plan.trace != nullptr) {
    request.plan.trace->ReportCustom("INFER_RESPONSE_COMPLETE", services_.clock.Now());
  }
  if (request.overflowed.load(std::memory_order_relaxed)) {
    services_.grpc_cells.stream_given_up.fetch_add(1, std::memory_order_relaxed);
    status = ResourceExhausted(
        "the responses to the request were not read: more than {} bytes of this stream were "
        "waiting, so it was given up; read faster, or see --grpc-stream-unsent-bytes-max",
        services_.options.grpc_stream_unsent_byte_size_max);
  } else {
    status = FailureForClient(status);
  }
  if (!request.decoupled) {
    net::GrpcMessage message;
    if (status.ok() && request.response_count != 1) {
      status = Internal("model '{}' gave {} responses where one is expected", request.model->name(),
                        request.response_count);
    }
    message = status.ok() ? Encode(request, *request.response, true, status)
                          : EncodeError(request, status, true);
    Fill(request.slot, std::move(message), std::move(status));
  } else if (!status.ok()) {
    request.failed.store(true, std::memory_order_relaxed);
    if (!SendFailure(EncodeError(request, status, true), status)) {
      return;
    }
  } else if (!request.final_sent && request.wants_empty_final) {
    engine::InferResponse empty;
    SendMessage(Encode(request, empty, true, status));
  }
  if (call_ != nullptr) {
    Settle();
  }
}

void GrpcInferStream::Fill(std::uint64_t slot, net::GrpcMessage message, Status status) {
  Slot& filled = slots_[slot - first_slot_];
  filled.message = std::move(message);
  filled.status = std::move(status);
  SendReady();
}

void GrpcInferStream::SendReady() {
  while (!slots_.empty() && slots_.front().message) {
    Slot ready = std::move(slots_.front());
    slots_.pop_front();
    ++first_slot_;
    if (ready.status.ok()) {
      SendMessage(*std::move(ready.message));
    } else if (!SendFailure(*std::move(ready.message), ready.status)) {
      return;
    }
  }
}

net::GrpcMessage GrpcInferStream::Encode(const Request& request, engine::InferResponse& response,
                                         bool final, Status& status) const {
  const auto encode = [&]() -> Result<net::GrpcMessage> {
    HEADRACE_RETURN_IF_ERROR(response.error);
    response.parameters.push_back({std::string(kFinalResponseParameter), final});
    HEADRACE_ASSIGN_OR_RETURN(
        const ShapedReply shaped,
        ShapeReply(*request.model, request.plan, response, services_.shared_memory));
    return protocol::EncodeProtoStreamResponse(shaped.message);
  };
  Result<net::GrpcMessage> message = encode();
  if (message.ok()) {
    return *std::move(message);
  }
  status = message.status();
  return EncodeError(request, status, final);
}

net::GrpcMessage GrpcInferStream::EncodeError(const Request& request, const Status& status,
                                              bool final) const {
  const std::vector<Parameter> parameters = {{std::string(kFinalResponseParameter), final}};
  protocol::V2InferResponse response;
  response.model_name = request.model != nullptr ? request.model->name() : request.model_name;
  response.model_version = request.model != nullptr ? request.model->version() : 0;
  response.id = request.plan.id;
  response.parameters = &parameters;
  const std::string_view text = status.message();
  return protocol::EncodeProtoStreamError(text.empty() ? "the request failed" : text, response);
}

void GrpcInferStream::SendMessage(net::GrpcMessage message) { call_->Send(std::move(message)); }

bool GrpcInferStream::SendFailure(net::GrpcMessage message, const Status& status) {
  if (strict_) {
    End(status);
    return false;
  }
  SendMessage(std::move(message));
  return true;
}

void GrpcInferStream::End(Status status) {
  net::GrpcCall* const call = std::exchange(call_, nullptr);
  over_.store(true, std::memory_order_relaxed);
  slots_.clear();
  call->Finish(std::move(status));
}

void GrpcInferStream::Settle() {
  if (call_ == nullptr) {
    return;
  }
  if (half_closed_ && in_flight_ == 0) {
    End(OkStatus());
    return;
  }
  const std::uint64_t unsent = call_->unsent_byte_size();
  const bool full = in_flight_ >= services_.options.grpc_stream_request_count_max;
  if (!paused_ && !half_closed_ && (full || unsent > kUnsentPauseByteSize)) {
    paused_ = true;
    services_.grpc_cells.stream_pauses.fetch_add(1, std::memory_order_relaxed);
    call_->PauseReading();
  } else if (paused_ && !full && unsent <= kUnsentPauseByteSize / 16) {
    paused_ = false;
    call_->ResumeReading();
  }
}

void GrpcModelStreamInfer(GrpcContext& context) {
  net::GrpcCall& call = *context.call;
  if (call.state == nullptr) {
    GrpcSession::Attach(call, std::make_shared<GrpcInferStream>(call, context.services));
  }
  static_cast<GrpcInferStream*>(GrpcSession::Of(call))->OnRequest(context);
}

}  // namespace headrace::frontend
