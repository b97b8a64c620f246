#include "load/grpc_stream.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "base/status.h"

namespace headrace::load {
namespace {

// Of each response: what stands in front of the tensors fits into it.
constexpr std::size_t kKeptByteSizeMax = std::size_t{64} << 10;
// Where whole responses are needed: golden outputs, compression.
constexpr std::size_t kWholeByteSizeMax = std::size_t{1} << 30;

bool NeedsWhole(const GrpcPlan& plan) {
  return plan.encoding != net::GrpcEncoding::kIdentity ||
         std::any_of(plan.workload.items.begin(), plan.workload.items.end(), [](const Item& item) {
           return std::any_of(item.contents.begin(), item.contents.end(),
                              [](const Content& content) { return content.golden.has_value(); });
         });
}

}  // namespace

bool GrpcStream::Take(GrpcRequest& request) {
  request.cold = connection_.fresh();
  if (!on_stream()) {
    fields_.Reset();
    frames_.Reset(NeedsWhole(owner_.plan()) ? kWholeByteSizeMax : kKeptByteSizeMax);
    closing_ = false;
    if (!connection_.Submit(*this, owner_.plan().fields.view(), 0)) {
      return false;
    }
  } else {
    connection_.Resume(*this);
  }
  request.stream = this;
  queue_.push_back(&request);
  queued_byte_size_ += request.body.left();
  request.stream_position = out_.size();
  out_.push_back(&request);
  return true;
}

void GrpcStream::Finish() {
  closing_ = true;
  connection_.Resume(*this);
}

void GrpcStream::AppendBody(net::GatherOutput& out, std::size_t byte_size) {
  queued_byte_size_ -= byte_size;
  while (byte_size > 0) {
    GrpcRequest& request = *queue_.front();
    if (request.body.untouched()) {
      connection_.Mark(request.id());
    }
    const std::size_t part = std::min(byte_size, request.body.left());
    request.body.AppendTo(out, part);
    byte_size -= part;
    if (request.body.left() == 0) {
      queue_.pop_front();
      if (request.state == GrpcRequest::State::kEnded) {
        owner_.OnFree(request);
      }
    }
  }
}

void GrpcStream::Leave(GrpcRequest& request) {
  out_[request.stream_position] = out_.back();
  out_[request.stream_position]->stream_position = request.stream_position;
  out_.pop_back();
}

void GrpcStream::GiveUp(GrpcRequest& request) {
  Leave(request);
  if (request.body.left() == 0) {
    owner_.OnFree(request);
  }  // else when its last byte is sent: a message cannot be taken back in its midst
}

void GrpcStream::End(GrpcRequest& request, Nanos when, GrpcEnding ending) {
  owner_.OnEnding(request, when, ending);
  GiveUp(request);
}

void GrpcStream::OnData(std::string_view bytes) {
  if (!frames_.Feed(bytes, [this](const GrpcFrame& message) { OnAnswer(message); })) {
    connection_.Cancel(*this);
    owner_.first_failure().Note("the answer on the stream is no gRPC");
    const auto out = out_;
    for (GrpcRequest* const request : out) {
      End(*request, connection_.read_at(),
          {Outcome::kMalformed, static_cast<std::uint32_t>(StatusCode::kInternal)});
    }
  }
}

GrpcRequest* GrpcStream::Find(std::string_view id) const {
  if (id.empty()) {
    const auto oldest = std::min_element(
        out_.begin(), out_.end(), [](const auto* a, const auto* b) { return a->id() < b->id(); });
    return oldest == out_.end() ? nullptr : *oldest;
  }
  std::uint64_t number = 0;
  std::from_chars(id.data(), id.data() + id.size(), number);
  return owner_.Find(number, *this);
}

void GrpcStream::OnAnswer(const GrpcFrame& message) {
  std::string inflated;
  GrpcFrame plain = message;
  if (message.compressed) {
    if (!InflateMessage(message, fields_.encoding(), pool_, inflated)) {
      connection_.Cancel(*this);
      return;
    }
    plain = {inflated, inflated.size(), false};
  }
  StreamAnswer answer;
  const bool readable = ReadStreamAnswer(plain.bytes, answer);
  GrpcRequest* const request = Find(answer.id);
  if (request == nullptr) {
    return;
  }
  const Nanos when = connection_.read_at();
  if (!readable) {
    owner_.first_failure().Note("the answer is no ModelStreamInferResponse");
    End(*request, when, {Outcome::kMalformed, static_cast<std::uint32_t>(StatusCode::kInternal)});
    return;
  }
  if (!answer.error.empty()) {
    owner_.first_failure().Note(answer.error);
    End(*request, when, EndingOfStreamError(answer.error));
    return;
  }
  if (answer.has_outputs || !answer.final) {
    if (!std::exchange(request->answered, true)) {
      request->answer_outcome = request->Check({answer.response, answer.response.size(), false},
                                               net::GrpcEncoding::kIdentity);
    }
    owner_.OnResponse(*request, when);
  }
  if (answer.final) {
    End(*request, when, {request->answer_outcome, 0});
  }
}

void GrpcStream::OnClosed(std::uint32_t error_code) {
  GrpcEnding ending = fields_.Ending(error_code);
  if (ending.outcome == Outcome::kOk) {
    ending = {Outcome::kReset, 0};  // it ended in order, and owes answers
  }
  if (!out_.empty() && !owner_.first_failure().noted()) {
    owner_.first_failure().Note(FailureText(ending, fields_));
  }
  const Nanos when = error_code == kLost ? Clock::Real().Now() : connection_.read_at();
  for (GrpcRequest* const request : std::exchange(queue_, {})) {
    if (request->state == GrpcRequest::State::kEnded) {
      owner_.OnFree(*request);
    }
  }
  queued_byte_size_ = 0;
  for (GrpcRequest* const request : std::exchange(out_, {})) {
    owner_.OnEnding(*request, when, ending);
    owner_.OnFree(*request);
  }
}

}  // namespace headrace::load
