// org.pytorch.serve.grpc.inference.InferenceAPIsService (contracts, TorchServe 4.1 and 4.3).
#include <iterator>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "frontend/grpc_unary.h"
#include "torchserve/grpc_errors.h"
#include "torchserve/grpc_messages.h"
#include "torchserve/grpc_method.h"
#include "torchserve/grpc_prediction.h"
#include "torchserve/grpc_prediction_message.h"
#include "torchserve/grpc_sequence_stream.h"
#include "torchserve/readiness.h"

namespace headrace::torchserve {
namespace {

void Ping(GrpcApiCall& call) {
  org::pytorch::serve::grpc::inference::TorchServeHealthResponse response;
  // Without the line's end that HTTP has.
  response.set_health(IsHealthy(call.api, call.services) ? "{\n  \"status\": \"Healthy\"\n}"
                                                         : "{\n  \"status\": \"Unhealthy\"\n}");
  frontend::GrpcReply(*call.call, frontend::EncodeGrpcMessage(response));
}

// One message, whatever pieces the handler made of it.
class UnaryReceiver final : public GrpcPredictionReceiver {
 public:
  explicit UnaryReceiver(net::GrpcCallRef call) : call_(std::move(call)) {}

  void OnPiece(std::vector<Buffer> body) override {
    std::move(body.begin(), body.end(), std::back_inserter(body_));
  }
  void OnEnd(Status status, std::vector<Buffer> body) override {
    if (!status.ok()) {
      call_->Finish(std::move(status));
      return;
    }
    OnPiece(std::move(body));
    frontend::GrpcReply(*call_, EncodePrediction(std::move(body_), {}, OkStatus()));
  }

 private:
  const net::GrpcCallRef call_;
  std::vector<Buffer> body_;
};

// One message for each piece, and one for what the handler returns. A handler that makes no pieces
// answers with one message, too (TorchServe breaks the call then).
class StreamReceiver final : public GrpcPredictionReceiver {
 public:
  explicit StreamReceiver(net::GrpcCallRef call) : call_(std::move(call)) {}

  void OnPiece(std::vector<Buffer> body) override {
    call_->Send(EncodePrediction(std::move(body), {}, OkStatus()));
  }
  void OnEnd(Status status, std::vector<Buffer> body) override {
    if (status.ok()) {
      OnPiece(std::move(body));
    }
    call_->Finish(std::move(status));
  }

 private:
  const net::GrpcCallRef call_;
};

template <typename Receiver>
void Predict(GrpcApiCall& call) {
  Result<PredictionMessage> message = ReadPredictionMessage(call.message);
  if (!message.ok()) {
    call.call->Finish(message.status());
    return;
  }
  SubmitPrediction(call,
                   {.model_name = std::move(message->model_name),
                    .model_version = std::move(message->model_version),
                    .content = std::move(message->content)},
                   std::make_shared<Receiver>(call.call));
}

constexpr GrpcMethod kMethods[] = {
    {.path = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Predictions",
     .takes_prediction = true,
     .handler = Predict<UnaryReceiver>},
    {.path = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions",
     .takes_prediction = true,
     .handler = Predict<StreamReceiver>},
    {.path = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/StreamPredictions2",
     .takes_prediction = true,
     .streaming = true,
     .handler = GrpcSequenceStream::OnMessage},
    {.path = "/org.pytorch.serve.grpc.inference.InferenceAPIsService/Ping", .handler = Ping},
};

}  // namespace

std::span<const GrpcMethod> GrpcInferenceMethods() { return kMethods; }

}  // namespace headrace::torchserve
