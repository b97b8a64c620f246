#include "frontend/single_reply.h"

#include <fmt/format.h>

#include "frontend/call.h"

namespace headrace::frontend {

void SingleReply::AddResponse(engine::InferResponse response) {
  if (response_count_++ == 0) {
    response_ = std::move(response);
  }
}

void SingleReply::SetOutcome(Status status) {
  outcome_ = std::move(status);
  finished_ = services_.clock.Now();
}

void SingleReply::Run() {
  if (Cancelled()) {
    return;  // nobody listens: spare the work
  }
  if (plan_.trace != nullptr) {
    plan_.trace->ReportCustom("INFER_RESPONSE_COMPLETE", finished_);
    plan_.trace->ReportCustom(fmt::format("{}_SEND_START", activity_), services_.clock.Now());
  }
  Answer();
  const Nanos sent = services_.clock.Now();
  if (plan_.trace != nullptr) {
    plan_.trace->ReportCustom(fmt::format("{}_SEND_END", activity_), sent);
  }
  model_->statistics().RecordSend(sent - finished_);
}

Status SingleReply::Outcome(std::string_view wrong_count) const {
  if (!outcome_.ok()) {
    return outcome_;
  }
  if (!response_.error.ok()) {
    return response_.error;
  }
  if (response_count_ == 1) {
    return OkStatus();
  }
  if (!wrong_count.empty()) {
    return Internal("{}", wrong_count);
  }
  return Internal("model '{}' gave {} responses where one is expected", model_->name(),
                  response_count_);
}

SingleReplySink::~SingleReplySink() {
  if (reply_ != nullptr) {
    Finish(Internal("the request was dropped without an answer"));
  }
}

Result<MutableBuffer> SingleReplySink::AllocateOutput(std::string_view, std::size_t byte_size) {
  return services_.pool.Allocate(byte_size);
}

void SingleReplySink::Send(engine::InferResponse response) {
  if (reply_ != nullptr) {
    reply_->AddResponse(std::move(response));
  }
}

void SingleReplySink::Finish(Status status) {
  if (reply_ == nullptr) {
    return;
  }
  reply_->SetOutcome(std::move(status));
  loop_.Post(std::move(reply_));
}

}  // namespace headrace::frontend
