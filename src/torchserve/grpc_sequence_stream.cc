#include "torchserve/grpc_sequence_stream.h"

#include <utility>
#include <vector>

#include "torchserve/grpc_errors.h"
#include "torchserve/grpc_prediction.h"
#include "torchserve/grpc_prediction_message.h"

namespace headrace::torchserve {

// The answers of one request.
class GrpcSequenceStream::Receiver final : public GrpcPredictionReceiver {
 public:
  // The session lives as long as the call.
  Receiver(net::GrpcCallRef call, std::optional<std::string> sequence_id)
      : call_(std::move(call)), sequence_id_(std::move(sequence_id)) {}

  void OnPiece(std::vector<Buffer> body) override {
    call_->Send(EncodePrediction(std::move(body), sequence_id_, OkStatus()));
  }
  void OnEnd(Status status, std::vector<Buffer> body) override {
    call_->Send(EncodePrediction(std::move(body), sequence_id_, status));
    static_cast<GrpcSequenceStream*>(frontend::GrpcSession::Of(*call_))->Ended();
  }

 private:
  const net::GrpcCallRef call_;
  const std::optional<std::string> sequence_id_;
};

void GrpcSequenceStream::OnMessage(GrpcApiCall& call) {
  if (call.call->state == nullptr) {
    frontend::GrpcSession::Attach(
        *call.call,
        std::shared_ptr<GrpcSequenceStream>(new GrpcSequenceStream(*call.call, call.services)));
  }
  static_cast<GrpcSequenceStream*>(frontend::GrpcSession::Of(*call.call))->Take(call);
}

void GrpcSequenceStream::Take(GrpcApiCall& call) {
  Result<PredictionMessage> message = ReadPredictionMessage(call.message);
  ++in_flight_;
  auto receiver = std::make_shared<Receiver>(
      call.call, message.ok() ? message->sequence_id : std::optional<std::string>());
  if (!message.ok()) {
    receiver->OnEnd(message.status(), {});
    return;
  }
  if (!message->sequence_id || message->sequence_id->empty()) {
    receiver->OnEnd(GrpcBadPrediction("Parameter sequenceId is required."), {});
    return;
  }
  const bool starts = sequences_.size() >= kSequenceCountMax
                          ? !sequences_.contains(*message->sequence_id)
                          : sequences_.insert(*message->sequence_id).second;
  SubmitPrediction(call,
                   {.model_name = std::move(message->model_name),
                    .model_version = std::move(message->model_version),
                    .content = std::move(message->content),
                    .sequence_id = std::move(message->sequence_id),
                    .starts_sequence = starts},
                   std::move(receiver));
  if (in_flight_ >= services_.options.grpc_stream_request_count_max && !paused_) {
    paused_ = true;
    call_.PauseReading();
  }
}

void GrpcSequenceStream::Ended() {
  --in_flight_;
  if (half_closed_ && in_flight_ == 0) {
    call_.Finish(OkStatus());
    return;
  }
  if (paused_ && in_flight_ < services_.options.grpc_stream_request_count_max) {
    paused_ = false;
    call_.ResumeReading();
  }
}

void GrpcSequenceStream::OnHalfClose() {
  half_closed_ = true;
  if (in_flight_ == 0) {
    call_.Finish(OkStatus());
  }
}

}  // namespace headrace::torchserve
