#include "torchserve/grpc_prediction.h"

#include <atomic>
#include <cstdint>
#include <utility>

#include "frontend/client_key.h"
#include "frontend/grpc_call.h"
#include "frontend/infer_reply.h"
#include "frontend/infer_submit.h"
#include "frontend/posted_bytes.h"
#include "frontend/prediction_answer.h"
#include "frontend/predictions.h"
#include "net/event_loop.h"
#include "torchserve/grpc_errors.h"
#include "torchserve/metrics.h"

namespace headrace::torchserve {
namespace {

using frontend::Services;
using frontend::TorchServeError;

// What the sink and its tasks share.
struct Way {
  net::GrpcCallRef call;
  engine::ModelHandle model;
  std::string version;  // as the client gave it
  std::shared_ptr<GrpcPredictionReceiver> receiver;
  const Services& services;
  std::atomic<bool> overflowed{false};   // any thread: the client does not read
  frontend::PostedBytes posted_bytes{};  // in pieces

  std::uint64_t UnsentByteSizeMax() const {
    return services.options.grpc_stream_unsent_byte_size_max;
  }
  bool over() const { return call->cancelled(); }
};

class PieceTask final : public net::LoopTask {
 public:
  PieceTask(std::shared_ptr<Way> way, engine::InferResponse response, std::uint64_t byte_size)
      : way_(std::move(way)), response_(std::move(response)), byte_size_(byte_size) {}

  void Run() override {
    way_->posted_bytes.Remove(byte_size_);
    if (way_->over() || way_->overflowed.load(std::memory_order_relaxed)) {
      return;
    }
    if (way_->call->unsent_byte_size() > way_->UnsentByteSizeMax()) {
      way_->overflowed.store(true, std::memory_order_relaxed);
      return;
    }
    way_->receiver->OnPiece(frontend::PredictionBody(response_));
  }

 private:
  const std::shared_ptr<Way> way_;
  const engine::InferResponse response_;
  const std::uint64_t byte_size_;
};

// The last response and the outcome. A loop task from the beginning, so that an answer costs one
// hop.
class EndTask final : public net::LoopTask {
 public:
  explicit EndTask(std::shared_ptr<Way> way) : way_(std::move(way)) {}

  void SetResponse(engine::InferResponse response) {
    response_ = std::move(response);
    responded_ = true;
  }
  void SetOutcome(Status status) {
    outcome_ = std::move(status);
    finished_ = way_->services.clock.Now();
  }

  void Run() override {
    if (way_->over()) {
      return;
    }
    Status failure = Failure();
    std::vector<Buffer> body;
    if (failure.ok()) {
      body = frontend::PredictionBody(response_);
    }
    way_->receiver->OnEnd(std::move(failure), std::move(body));
    way_->model->statistics().RecordSend(way_->services.clock.Now() - finished_);
  }

 private:
  Status Failure() const {
    if (way_->overflowed.load(std::memory_order_relaxed)) {
      way_->services.grpc_cells.stream_given_up.fetch_add(1, std::memory_order_relaxed);
      return ResourceExhausted("the client does not read its answers: more than {} bytes wait",
                               way_->UnsentByteSizeMax());
    }
    if (outcome_.ok() && responded_ && response_.error.ok()) {
      return OkStatus();
    }
    Status status = outcome_.ok() ? response_.error : outcome_;
    if (status.ok()) {
      status = Internal("the handler's worker gave no answer");
    }
    if (status.code() == StatusCode::kCancelled) {
      return status;
    }
    const int said = frontend::StatusParameter(response_.parameters);
    if (said == 0 && status.code() == StatusCode::kUnavailable) {
      const TorchServeError error = frontend::UnavailableError(status, *way_->model, way_->version);
      return error.code == 503 ? GrpcRefusal(error) : GrpcFailure(error);
    }
    return GrpcFailure(frontend::ErrorOf(status, said));
  }

  const std::shared_ptr<Way> way_;
  engine::InferResponse response_;
  bool responded_ = false;
  Status outcome_;
  Nanos finished_ = 0;
};

class PredictionSink final : public engine::ResponseSink {
 public:
  explicit PredictionSink(std::shared_ptr<Way> way)
      : way_(std::move(way)), end_(std::make_unique<EndTask>(way_)) {}
  ~PredictionSink() override {
    if (end_ != nullptr) {
      PredictionSink::Finish(Internal("the request was dropped without an answer"));
    }
  }

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return way_->services.pool.Allocate(byte_size);
  }

  void Send(engine::InferResponse response) override {
    if (end_ == nullptr) {
      return;
    }
    if (response.final || !response.error.ok()) {
      end_->SetResponse(std::move(response));
      return;
    }
    if (Cancelled()) {
      return;
    }
    const std::uint64_t byte_size = frontend::ByteSizeOf(response);
    if (!way_->posted_bytes.Add(byte_size, way_->UnsentByteSizeMax())) {
      way_->overflowed.store(true, std::memory_order_relaxed);
      return;
    }
    way_->call->loop().Post(std::make_unique<PieceTask>(way_, std::move(response), byte_size));
  }

  void Finish(Status status) override {
    if (end_ == nullptr) {
      return;
    }
    end_->SetOutcome(std::move(status));
    way_->call->loop().Post(std::move(end_));
  }

  bool Cancelled() const override {
    return way_->over() || way_->overflowed.load(std::memory_order_relaxed);
  }

 private:
  const std::shared_ptr<Way> way_;
  std::unique_ptr<EndTask> end_;  // null once finished: then it belongs to the loop
};

frontend::PredictionPlan PlanOf(const engine::Model& model,
                                const frontend::FrontEndOptions& options,
                                const GrpcPrediction& prediction) {
  frontend::PredictionPlan plan;
  plan.handler_id = frontend::NewRequestId();
  const auto& sequences = model.options().sequences;
  if (!prediction.sequence_id && !(sequences && sequences->starts_by_itself)) {
    return plan;
  }
  const std::string id = prediction.sequence_id.value_or("ts-seq-" + plan.handler_id);
  if (sequences && sequences->starts_by_itself) {
    plan.sequence_id = id;
  }
  plan.headers.emplace_back(options.sequence_id_header, id);
  if (prediction.starts_sequence || !prediction.sequence_id) {
    plan.headers.emplace_back(options.sequence_start_header, "true");
  }
  return plan;
}

std::shared_ptr<engine::RequestTrace> BeginTrace(const GrpcApiCall& call,
                                                 const engine::Model& model) {
  return call.services.tracer.active()
             ? call.services.tracer.Begin(model.name(),
                                          frontend::MetadataValue(call.call->head(), "traceparent"))
             : nullptr;
}

}  // namespace

void SubmitPrediction(GrpcApiCall& call, GrpcPrediction prediction,
                      std::shared_ptr<GrpcPredictionReceiver> receiver) {
  if (prediction.model_name.empty()) {
    receiver->OnEnd(GrpcBadPrediction("Parameter model_name is required."), {});
    return;
  }
  engine::ModelHandle model;
  if (const auto error = frontend::FindHandler(prediction.model_name, prediction.model_version,
                                               call.loop.models.Get(), model)) {
    frontend::CountRefusal(call.services, nullptr,
                           error->code == 404 ? frontend::RefusalReason::kUnknownModel
                                              : frontend::RefusalReason::kNotReady);
    receiver->OnEnd(GrpcRefusal(*error), {});
    return;
  }
  frontend::PredictionPlan plan = PlanOf(*model, call.services.options, prediction);
  std::string request_id = plan.handler_id;
  frontend::InferSubmission submission;
  submission.request = frontend::BuildPrediction(std::move(prediction.content), std::move(plan),
                                                 std::move(request_id));
  submission.trace = BeginTrace(call, *model);
  submission.received = call.services.clock.Now();
  submission.deadline = call.call->deadline();
  submission.client = frontend::ClientKey(call.services.options, *call.call);
  auto way = std::make_shared<Way>(call.call, model, prediction.model_version, std::move(receiver),
                                   call.services);
  std::unique_ptr<engine::ResponseSink> sink = std::make_unique<PredictionSink>(std::move(way));
  call.api.metrics.WatchPrediction(model->name(), prediction.model_version, submission, sink);
  frontend::SubmitInfer(std::move(model), std::move(submission), std::move(sink));
}

}  // namespace headrace::torchserve
