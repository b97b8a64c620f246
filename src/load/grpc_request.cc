#include "load/grpc_request.h"

#include <algorithm>
#include <string>

#include "load/golden.h"
#include "net/grpc_compression.h"

namespace headrace::load {
namespace {

// Answers that are looked at; larger ones are wrong.
constexpr std::size_t kAnswerByteSizeMax = std::size_t{1} << 30;

}  // namespace

bool InflateMessage(const GrpcFrame& message, net::GrpcEncoding encoding, BlockPool& pool,
                    std::string& out) {
  auto inflated =
      net::DecompressMessage(encoding, Buffer::CopyOf(message.bytes), kAnswerByteSizeMax, pool);
  if (!inflated.ok()) {
    return false;
  }
  out = inflated->view();
  return true;
}

void GrpcRequest::Begin(const Outgoing& request) {
  ++generation_;
  outgoing_ = request;
  sent = cold = resent = answered = false;
  answer_outcome = Outcome::kOk;
  Rewind();
}

void GrpcRequest::Rewind() {
  body.Begin(owner_.plan().messages[outgoing_.item][outgoing_.content],
             {.id = id(),
              .sequence_id = outgoing_.sequence_id,
              .sequence_start = outgoing_.sequence_start,
              .sequence_end = outgoing_.sequence_end});
}

bool GrpcRequest::Submit(H2Connection& to, std::span<const nghttp2_nv> fields) {
  fields_.Reset();
  frames_.Reset(golden() == nullptr ? 0 : kAnswerByteSizeMax);
  message_count_ = 0;
  malformed_ = false;
  answer_outcome = Outcome::kOk;
  const bool first = to.fresh();
  if (!to.Submit(*this, fields, id())) {
    return false;
  }
  cold = first;
  connection = &to;
  return true;
}

const GoldenOutputs* GrpcRequest::golden() const {
  const Content& content = owner_.plan().workload.items[outgoing_.item].contents[outgoing_.content];
  return content.golden ? &*content.golden : nullptr;
}

Outcome GrpcRequest::Check(const GrpcFrame& message, net::GrpcEncoding encoding) const {
  if (golden() == nullptr) {
    return Outcome::kOk;
  }
  if (message.bytes.size() < message.byte_size) {
    return Outcome::kWrong;
  }
  std::string inflated;
  if (message.compressed) {
    BlockPool pool;
    if (!InflateMessage(message, encoding, pool, inflated)) {
      return Outcome::kMalformed;
    }
  }
  const std::string_view bytes = message.compressed ? std::string_view(inflated) : message.bytes;
  const Mismatch mismatch = CompareGrpcAnswer(*golden(), bytes);
  if (mismatch) {
    owner_.first_failure().Note(*mismatch);
  }
  return mismatch ? Outcome::kWrong : Outcome::kOk;
}

void GrpcRequest::OnData(std::string_view bytes) {
  malformed_ = malformed_ || !frames_.Feed(bytes, [this](const GrpcFrame& message) {
    if (message_count_++ == 0 && state == State::kOut) {
      answer_outcome = Check(message, fields_.encoding());
    }
  });
}

void GrpcRequest::OnClosed(std::uint32_t error_code) {
  if (state == State::kEnded) {  // its end was told: it timed out
    owner_.OnFree(*this);
    return;
  }
  if (error_code == NGHTTP2_REFUSED_STREAM && !fields_.has_code() && !resent) {
    owner_.OnRefused(*this);
    return;
  }
  GrpcEnding ending = fields_.Ending(error_code);
  const Nanos when = error_code == kLost ? Clock::Real().Now() : connection->read_at();
  if (ending.outcome == Outcome::kOk) {
    const bool whole = !malformed_ && message_count_ == 1 && frames_.at_boundary();
    ending.outcome = whole ? answer_outcome : Outcome::kMalformed;
    if (!whole) {
      owner_.first_failure().Note("the call succeeded without one whole message");
    }
  } else if (!owner_.first_failure().noted()) {
    owner_.first_failure().Note(FailureText(ending, fields_));
  }
  owner_.OnEnding(*this, when, ending);
  owner_.OnFree(*this);
}

}  // namespace headrace::load
