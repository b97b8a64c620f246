#include "handler/native_stages.h"

#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "handler/request_content.h"

namespace headrace::handler {

using engine::InferRequest;
using engine::InferResponse;
using engine::QueuePassage;
using engine::ResponseSink;

// One request on its way through the pool.
class NativeStages::Preparation final : public TaskThreads::Task {
 public:
  Preparation(NativeStages& stages, std::unique_ptr<InferRequest> request, QueuePassage passage)
      : passage_(std::move(passage)), stages_(stages), request_(std::move(request)) {}

  void Run() override {
    if (request_->Cancelled()) {
      Refuse(Cancelled("the client has gone before the request was read"),
             engine::FailureReason::kCanceled);
      return;
    }
    if (Status status = stages_.Read(*request_); !status.ok()) {
      stages_.cpu_->CountUnreadable();
      Refuse(std::move(status), engine::FailureReason::kOther);
      return;
    }
    stages_.cpu_->CountPrepared();
    std::move(passage_).Queue(std::move(request_));
  }

  void Refuse(Status status, engine::FailureReason reason) {
    request_->Finish(std::move(status), reason);
    request_.reset();
  }

 private:
  QueuePassage passage_;  // keeps the model, and so the stages: gone last
  NativeStages& stages_;
  std::unique_ptr<InferRequest> request_;
};

// Writes an answer outside of the instance's thread. The request has ended by then.
class NativeStages::Answering final : public TaskThreads::Task {
 public:
  Answering(const NativeStages& stages, engine::ModelHandle model,
            std::unique_ptr<ResponseSink> sink, std::vector<NamedTensor> outputs)
      : model_(std::move(model)),
        stages_(stages),
        sink_(std::move(sink)),
        outputs_(std::move(outputs)) {}
  void Run() override { stages_.Answer(*sink_, outputs_); }

 private:
  const engine::ModelHandle model_;  // owns the stages
  const NativeStages& stages_;
  const std::unique_ptr<ResponseSink> sink_;
  const std::vector<NamedTensor> outputs_;
};

// Stands between the backend and the request's own sink.
class NativeStages::AnswerSink final : public ResponseSink {
 public:
  AnswerSink(const NativeStages& stages, engine::ModelHandle model,
             std::unique_ptr<ResponseSink> inner)
      : stages_(stages), model_(std::move(model)), inner_(std::move(inner)) {}

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return stages_.pool_.Allocate(byte_size);
  }
  void Send(InferResponse response) override { outputs_ = std::move(response.outputs); }
  void Finish(Status status) override {
    if (!status.ok()) {
      inner_->Finish(std::move(status));
      return;
    }
    if (!stages_.handler_->answers_are_large()) {
      stages_.Answer(*inner_, outputs_);
      return;
    }
    auto answering =
        std::make_unique<Answering>(stages_, model_, std::move(inner_), std::move(outputs_));
    std::unique_ptr<TaskThreads::Task> task = std::move(answering);
    if (!stages_.cpu_->threads().Submit(task)) {
      task->Run();
    }
  }
  bool Cancelled() const override { return inner_ != nullptr && inner_->Cancelled(); }

 private:
  const NativeStages& stages_;
  const engine::ModelHandle model_;
  std::unique_ptr<ResponseSink> inner_;  // null once an answer is written elsewhere
  std::vector<NamedTensor> outputs_;
};

void NativeStages::Prepare(std::unique_ptr<InferRequest> request, QueuePassage passage) {
  auto preparation = std::make_unique<Preparation>(*this, std::move(request), std::move(passage));
  Preparation& made = *preparation;
  std::unique_ptr<TaskThreads::Task> task = std::move(preparation);
  if (!cpu_->threads().Submit(task)) {
    made.Refuse(Unavailable("{} requests wait to be read already, which is the limit "
                            "(--cpu-waiting-max)",
                            cpu_->options().waiting_max),
                engine::FailureReason::kRejected);
  }
}

Status NativeStages::Read(InferRequest& request) const {
  HEADRACE_ASSIGN_OR_RETURN(const RequestContent content,
                            ContentOf(request, options_.decode_parts));
  const Workshop shop{
      .pool = pool_,
      .decoding = {.pixel_count_max = options_.limit_pixels
                                          ? cpu_->options().image_pixel_count_max
                                          : std::numeric_limits<std::uint64_t>::max(),
                   .budget = &cpu_->image_memory()}};
  HEADRACE_ASSIGN_OR_RETURN(Tensor tensor, handler_->Preprocess(content, shop));
  request.inputs.clear();
  request.inputs.push_back({handler_->signature().inputs.front().name, std::move(tensor)});
  for (const NamedTensor& input : handler_->fixed_inputs()) {
    request.inputs.push_back(input);
  }
  request.wanted_outputs.clear();
  for (const engine::TensorSpec& output : handler_->signature().outputs) {
    request.wanted_outputs.push_back(output.name);
  }
  request.parameters.clear();
  request.WrapSink([&](std::unique_ptr<ResponseSink> sink) {
    return std::make_unique<AnswerSink>(*this, request.model(), std::move(sink));
  });
  return OkStatus();
}

void NativeStages::Answer(ResponseSink& sink, std::span<const NamedTensor> outputs) const {
  Result<std::string> answer = handler_->Postprocess(outputs);
  if (!answer.ok()) {
    sink.Finish(answer.status());
    return;
  }
  InferResponse response;
  NamedTensor& body = response.outputs.emplace_back();
  body.name = "body";
  body.tensor.dtype = DataType::kUint8;
  body.tensor.shape = Shape({1, static_cast<std::int64_t>(answer->size())});
  body.tensor.data = Buffer::FromString(*std::move(answer));
  response.final = true;
  sink.Send(std::move(response));
  sink.Finish(OkStatus());
}

}  // namespace headrace::handler
