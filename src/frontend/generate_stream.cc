#include "frontend/generate_stream.h"

#include <thread>
#include <utility>

#include "frontend/http_stream_cells.h"
#include "frontend/infer_reply.h"
#include "frontend/infer_sink.h"
#include "frontend/replies.h"
#include "net/event_loop.h"
#include "protocol/generate_json.h"

namespace headrace::frontend {
namespace {

constexpr std::string_view kEventStreamType = "text/event-stream; charset=utf-8";

}  // namespace

class GenerateStream::ResponseTask final : public net::LoopTask {
 public:
  ResponseTask(std::shared_ptr<GenerateStream> stream, engine::InferResponse response,
               std::uint64_t byte_size)
      : stream_(std::move(stream)), response_(std::move(response)), byte_size_(byte_size) {}

  void Run() override {
    stream_->posted_bytes_.Remove(byte_size_);
    stream_->OnResponse(std::move(response_));
  }

 private:
  const std::shared_ptr<GenerateStream> stream_;
  engine::InferResponse response_;
  const std::uint64_t byte_size_;
};

class GenerateStream::FinishTask final : public net::LoopTask {
 public:
  FinishTask(std::shared_ptr<GenerateStream> stream, Status status, bool refused)
      : stream_(std::move(stream)), status_(std::move(status)), refused_(refused) {}

  void Run() override { stream_->OnFinish(std::move(status_), refused_); }

 private:
  const std::shared_ptr<GenerateStream> stream_;
  Status status_;
  const bool refused_;
};

class GenerateStream::Sink final : public engine::ResponseSink {
 public:
  // On the loop's thread.
  explicit Sink(std::shared_ptr<GenerateStream> stream)
      : stream_(std::move(stream)), submitter_(std::this_thread::get_id()) {}

  ~Sink() override {
    if (!finished_) {
      Finish(Internal("the request was dropped without an answer"));
    }
  }

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return stream_->services_.pool.Allocate(byte_size);
  }

  void Send(engine::InferResponse response) override {
    if (Cancelled()) {
      return;
    }
    const std::uint64_t byte_size = ByteSizeOf(response);
    if (!stream_->posted_bytes_.Add(byte_size,
                                    stream_->services_.options.http_stream_unsent_byte_size_max)) {
      // The loop does not keep up. What is posted already goes out; this and the rest do not.
      stream_->overflowed_.store(true, std::memory_order_relaxed);
      return;
    }
    stream_->exchange_->loop().Post(
        std::make_unique<ResponseTask>(stream_, std::move(response), byte_size));
  }

  void Finish(Status status) override {
    finished_ = true;
    const bool refused = std::this_thread::get_id() == submitter_ && stream_->submitting_;
    stream_->exchange_->loop().Post(
        std::make_unique<FinishTask>(stream_, std::move(status), refused));
  }

  bool Cancelled() const override {
    return stream_->exchange_->cancelled() || stream_->failed_.load(std::memory_order_relaxed) ||
           stream_->overflowed_.load(std::memory_order_relaxed);
  }

 private:
  const std::shared_ptr<GenerateStream> stream_;
  const std::thread::id submitter_;
  bool finished_ = false;
};

void GenerateStream::Start(net::HttpExchangeRef exchange, PreparedGenerate prepared,
                           const Services& services) {
  const auto stream = std::make_shared<GenerateStream>(std::move(exchange), prepared.model,
                                                       std::move(prepared.plan), services);
  stream->submitting_ = true;
  SubmitInfer(std::move(prepared.model), std::move(prepared.submission),
              std::make_unique<Sink>(stream));
  stream->submitting_ = false;
}

GenerateStream::GenerateStream(net::HttpExchangeRef exchange, engine::ModelHandle model,
                               InferReplyPlan plan, const Services& services)
    : exchange_(std::move(exchange)),
      model_(std::move(model)),
      plan_(std::move(plan)),
      services_(services) {
  services_.http_stream_cells.streams.fetch_add(1, std::memory_order_relaxed);
}

void GenerateStream::OnResponse(engine::InferResponse response) {
  if (exchange_->cancelled() || failed_.load(std::memory_order_relaxed)) {
    return;
  }
  // What waits is compared before the response is added, so that one alone may have any size.
  if (exchange_->unsent_byte_size() > services_.options.http_stream_unsent_byte_size_max) {
    overflowed_.store(true, std::memory_order_relaxed);
    return;  // its end tells
  }
  Result<std::string> json = Encode(response);
  if (json.ok()) {
    SendEvent(*std::move(json), OkStatus());
    return;
  }
  // An error in place of a response leaves the request alive; one of ours does not.
  if (response.error.ok()) {
    failed_.store(true, std::memory_order_relaxed);
  }
  SendError(json.status());
}

Result<std::string> GenerateStream::Encode(engine::InferResponse& response) const {
  HEADRACE_RETURN_IF_ERROR(response.error);
  const bool final = response.final || !model_->options().decoupled;
  response.parameters.push_back({std::string(kFinalResponseParameter), final});
  HEADRACE_ASSIGN_OR_RETURN(const ShapedReply shaped,
                            ShapeReply(*model_, plan_, response, services_.shared_memory));
  return protocol::EncodeGenerateResponse(shaped.message);
}

void GenerateStream::OnFinish(Status status, bool refused) {
  // Before the client can see the end.
  services_.http_stream_cells.streams.fetch_sub(1, std::memory_order_relaxed);
  if (exchange_->cancelled()) {
    return;
  }
  if (plan_.trace != nullptr) {
    plan_.trace->ReportCustom("INFER_RESPONSE_COMPLETE", services_.clock.Now());
  }
  const bool failed = failed_.load(std::memory_order_relaxed);  // and was told
  if (overflowed_.load(std::memory_order_relaxed)) {
    services_.http_stream_cells.given_up.fetch_add(1, std::memory_order_relaxed);
    status = ResourceExhausted(
        "the responses to the request were not read: more than {} bytes of this stream were "
        "waiting, so it was given up; read faster, or see --http-stream-unsent-bytes-max",
        services_.options.http_stream_unsent_byte_size_max);
  }
  if (!begun_ && refused && !status.ok()) {
    exchange_->Respond(BuildInferError(status));
    return;
  }
  if (!status.ok() && !failed) {
    SendError(status);
  } else if (!begun_) {
    net::HttpResponse head;
    head.content_type = kEventStreamType;
    exchange_->BeginStream(std::move(head));
  }
  exchange_->EndStream();
}

void GenerateStream::SendError(const Status& status) {
  const Status told = FailureForClient(status);
  SendEvent(RefusalOf(told).json, told);
}

void GenerateStream::SendEvent(std::string json, const Status& status) {
  if (!begun_) {
    begun_ = true;
    net::HttpResponse head;
    head.content_type = kEventStreamType;
    if (!status.ok()) {
      Refusal refusal = RefusalOf(status);
      head.status = refusal.status;
      head.extra_headers = std::move(refusal.headers);
    }
    exchange_->BeginStream(std::move(head));
  }
  json.insert(0, "data: ").append("\n\n");
  services_.http_stream_cells.events.fetch_add(1, std::memory_order_relaxed);
  exchange_->SendPiece(Buffer::FromString(std::move(json)));
}

}  // namespace headrace::frontend
