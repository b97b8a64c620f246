#include "frontend/prediction_reply.h"

#include <atomic>
#include <cstdint>
#include <utility>

#include "frontend/call.h"
#include "frontend/infer_reply.h"
#include "frontend/posted_bytes.h"
#include "frontend/prediction_answer.h"
#include "frontend/torchserve_error.h"
#include "net/event_loop.h"

namespace headrace::frontend {
namespace {

// What a reply and the pieces of its stream share.
struct Exchange {
  net::HttpExchangeRef exchange;
  PredictionReplyPlan plan;
  const Services& services;
  std::atomic<bool> overflowed{false};  // any thread: the client does not read
  PostedBytes posted_bytes{};           // in pieces
  bool begun = false;                   // on the loop: the head is out

  std::uint64_t UnsentByteSizeMax() const {
    return services.options.http_stream_unsent_byte_size_max;
  }
};

// On the loop.
void SendPiece(Exchange& to, const engine::InferResponse& response) {
  if (to.exchange->cancelled() || to.overflowed.load(std::memory_order_relaxed)) {
    return;
  }
  if (to.exchange->unsent_byte_size() > to.UnsentByteSizeMax()) {
    to.overflowed.store(true, std::memory_order_relaxed);
    return;
  }
  if (!to.begun) {
    to.begun = true;
    net::HttpResponse head = BuildPredictionAnswer(response, to.plan.request_id);
    head.body.clear();
    if (head.status == 204 || head.status == 304) {
      head.status = 200;  // those have no body
    }
    to.exchange->BeginStream(std::move(head));
    to.services.http_stream_cells.streams.fetch_add(1, std::memory_order_relaxed);
  }
  for (Buffer& piece : PredictionBody(response)) {
    if (!piece.empty()) {
      to.services.http_stream_cells.events.fetch_add(1, std::memory_order_relaxed);
      to.exchange->SendPiece(std::move(piece));
    }
  }
}

class PieceTask final : public net::LoopTask {
 public:
  PieceTask(std::shared_ptr<Exchange> to, engine::InferResponse response, std::uint64_t byte_size)
      : to_(std::move(to)), response_(std::move(response)), byte_size_(byte_size) {}

  void Run() override {
    to_->posted_bytes.Remove(byte_size_);
    SendPiece(*to_, response_);
  }

 private:
  const std::shared_ptr<Exchange> to_;
  const engine::InferResponse response_;
  const std::uint64_t byte_size_;
};

// The last response and the outcome. A loop task from the beginning, so that an answer costs one
// hop.
class EndTask final : public net::LoopTask {
 public:
  EndTask(std::shared_ptr<Exchange> to, engine::ModelHandle model)
      : to_(std::move(to)), model_(std::move(model)) {}

  void SetResponse(engine::InferResponse response) {
    response_ = std::move(response);
    responded_ = true;
  }
  void SetOutcome(Status status) {
    outcome_ = std::move(status);
    finished_ = to_->services.clock.Now();
  }

  void Run() override {
    if (to_->begun) {
      to_->services.http_stream_cells.streams.fetch_sub(1, std::memory_order_relaxed);
    }
    if (to_->exchange->cancelled()) {
      return;
    }
    Report("INFER_RESPONSE_COMPLETE", finished_);
    Report("HTTP_SEND_START", to_->services.clock.Now());
    if (to_->begun) {
      EndStream();
    } else {
      to_->exchange->Respond(Answer());
    }
    const Nanos sent = to_->services.clock.Now();
    Report("HTTP_SEND_END", sent);
    model_->statistics().RecordSend(sent - finished_);
  }

 private:
  void Report(std::string_view activity, Nanos time) {
    if (to_->plan.trace != nullptr) {
      to_->plan.trace->ReportCustom(activity, time);
    }
  }

  net::HttpResponse Answer() const {
    if (outcome_.ok() && responded_ && response_.error.ok()) {
      return BuildPredictionAnswer(response_, to_->plan.request_id);
    }
    Status status = outcome_.ok() ? response_.error : outcome_;
    if (status.ok()) {
      status = Internal("the handler's worker gave no answer");
    }
    const int said = StatusParameter(response_.parameters);
    Refusal refusal = frontend::RefusalOf(said == 0 && status.code() == StatusCode::kUnavailable
                                              ? UnavailableError(status, *model_, to_->plan.version)
                                              : ErrorOf(status, said));
    net::HttpResponse answer;
    answer.status = refusal.status;
    answer.content_type = kJsonType;
    answer.extra_headers = PredictionHeaders(to_->plan.request_id) + refusal.headers;
    answer.body.push_back(Buffer::FromString(std::move(refusal.json)));
    return answer;
  }

  // Only a broken answer tells of a failure behind the first piece (contracts, TorchServe,
  // Appendix B 5).
  void EndStream() {
    if (to_->overflowed.load(std::memory_order_relaxed)) {
      to_->services.http_stream_cells.given_up.fetch_add(1, std::memory_order_relaxed);
    } else if (outcome_.ok() && responded_) {
      SendPiece(*to_, response_);
      to_->exchange->EndStream();
      return;
    }
    to_->exchange->BreakStream();
  }

  const std::shared_ptr<Exchange> to_;
  const engine::ModelHandle model_;
  engine::InferResponse response_;
  bool responded_ = false;
  Status outcome_;
  Nanos finished_ = 0;
};

class PredictionSink final : public engine::ResponseSink {
 public:
  PredictionSink(std::shared_ptr<Exchange> to, std::unique_ptr<EndTask> end)
      : to_(std::move(to)), end_(std::move(end)) {}

  ~PredictionSink() override {
    if (end_ != nullptr) {
      PredictionSink::Finish(Internal("the request was dropped without an answer"));
    }
  }

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return to_->services.pool.Allocate(byte_size);
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
    const std::uint64_t byte_size = ByteSizeOf(response);
    if (!to_->posted_bytes.Add(byte_size, to_->UnsentByteSizeMax())) {
      to_->overflowed.store(true, std::memory_order_relaxed);
      return;
    }
    to_->exchange->loop().Post(std::make_unique<PieceTask>(to_, std::move(response), byte_size));
  }

  void Finish(Status status) override {
    if (end_ == nullptr) {
      return;
    }
    end_->SetOutcome(std::move(status));
    to_->exchange->loop().Post(std::move(end_));
  }

  bool Cancelled() const override {
    return to_->exchange->cancelled() || to_->overflowed.load(std::memory_order_relaxed);
  }

 private:
  const std::shared_ptr<Exchange> to_;
  std::unique_ptr<EndTask> end_;  // null once finished: then it belongs to the loop
};

}  // namespace

std::unique_ptr<engine::ResponseSink> MakePredictionSink(net::HttpExchangeRef exchange,
                                                         engine::ModelHandle model,
                                                         PredictionReplyPlan plan,
                                                         const Services& services) {
  // Not make_shared: an aggregate with atomics is made in place.
  std::shared_ptr<Exchange> to(
      new Exchange{.exchange = std::move(exchange), .plan = std::move(plan), .services = services});
  auto end = std::make_unique<EndTask>(to, std::move(model));
  return std::make_unique<PredictionSink>(std::move(to), std::move(end));
}

}  // namespace headrace::frontend
