#include "load/grpc_unary.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "load/grpc_call_fields.h"
#include "load/grpc_frames.h"
#include "load/grpc_outcome.h"
#include "load/h2_connection.h"
#include "load/h2_endpoint.h"
#include "load/poller.h"
#include "protocol/urlencoded.h"

namespace headrace::load {
namespace {

constexpr std::size_t kReadByteSize = std::size_t{64} << 10;

// One call, on a connection and with a poller of its own.
class Exchange final : public H2Call, public H2Connection::Owner {
 public:
  Exchange(Poller& poller, const H2Endpoint& endpoint, std::string_view message)
      : endpoint_(endpoint), poller_(poller), read_buffer_(kReadByteSize) {
    body_.push_back('\0');
    for (int shift = 24; shift >= 0; shift -= 8) {
      body_.push_back(static_cast<char>(message.size() >> shift));
    }
    body_ += message;
  }
  ~Exchange() override { connection_.Close(); }  // while this can hear of it

  // The answer's message.
  Result<std::string> Run(const GrpcCallFields& head, Nanos connect_until, Nanos until) {
    connection_.Begin();
    bool submitted = false;
    while (!closed_ && down_.ok()) {
      if (!submitted && connection_.CanSubmit()) {
        submitted = connection_.Submit(*this, head.view(), 0);
      }
      connection_.Flush();
      const Nanos limit = submitted ? until : std::min(until, connect_until);
      if (closed_ || !down_.ok()) {
        break;
      }
      if (Clock::Real().Now() >= limit) {
        return submitted ? DeadlineExceeded("no answer in time") : Unavailable("no answer in time");
      }
      poller_.Poll(limit);
    }
    return Answer();
  }

 private:
  void OnHeader(std::string_view name, std::string_view value) override {
    fields_.Take(name, value);
  }
  void OnData(std::string_view bytes) override {
    const bool framed = frames_.Feed(bytes, [this](const GrpcFrame& frame) {
      ++message_count_;
      compressed_ = frame.compressed;
      cut_ = frame.bytes.size() < frame.byte_size;
      message_ = frame.bytes;
    });
    malformed_ = malformed_ || !framed;
  }
  void OnClosed(std::uint32_t error_code) override {
    closed_ = true;
    error_code_ = error_code;
  }
  std::size_t ReadyByteSize(bool& last) override {
    last = true;
    return body_.size() - sent_;
  }
  void AppendBody(net::GatherOutput& out, std::size_t byte_size) override {
    out.AppendBytes(std::string_view(body_).substr(sent_, byte_size));
    sent_ += byte_size;
  }

  void OnOpen(H2Connection& /*connection*/) override {}
  void OnWritten(std::uint64_t /*mark*/, Nanos /*when*/) override {}
  void OnDown(H2Connection& /*connection*/, const Status& why, bool /*was_open*/) override {
    down_ = why;
  }
  void OnWantsFlush(H2Connection& /*connection*/) override {}  // Run flushes before it waits
  std::span<char> read_buffer() override { return read_buffer_; }

  Result<std::string> Answer() {
    if (!fields_.has_code() && !down_.ok()) {
      return down_;
    }
    const GrpcEnding ending = fields_.Ending(error_code_);
    if (!fields_.has_code()) {
      return Status(static_cast<StatusCode>(ending.code), FailureText(ending, fields_));
    }
    if (ending.code != 0) {
      const bool known = ending.code <= static_cast<std::uint32_t>(StatusCode::kUnauthenticated);
      return Status(known ? static_cast<StatusCode>(ending.code) : StatusCode::kUnknown,
                    protocol::PercentDecodeWherePossible(fields_.message()));
    }
    if (cut_) {
      return ResourceExhausted("the answer is larger than {} bytes",
                               GrpcUnary::kMessageByteSizeMax);
    }
    if (malformed_ || compressed_ || message_count_ != 1 || !frames_.at_boundary()) {
      return Internal("the answer is no single message without compression");
    }
    return std::move(message_);
  }

  const H2Endpoint& endpoint_;
  Poller& poller_;
  std::vector<char> read_buffer_;
  std::string body_;
  std::size_t sent_ = 0;
  GrpcAnswerFields fields_;
  GrpcFrames frames_{GrpcUnary::kMessageByteSizeMax};
  std::string message_;
  int message_count_ = 0;
  bool compressed_ = false;  // of the last message
  bool cut_ = false;
  bool malformed_ = false;
  bool closed_ = false;
  std::uint32_t error_code_ = 0;
  Status down_;
  H2Connection connection_{poller_, *this, endpoint_};  // behind what its ends use
};

TargetSpec WithoutCompression(TargetSpec target) {
  target.grpc_compression.clear();
  return target;
}

}  // namespace

GrpcUnary::GrpcUnary(TargetSpec target) : target_(WithoutCompression(std::move(target))) {}

std::string GrpcUnary::Url(std::string_view method) const {
  return AddressText(target_) + std::string(method);
}

Result<std::string> GrpcUnary::Call(std::string_view method, std::string_view message,
                                    Nanos timeout) const {
  const Nanos limit = timeout == 0 ? target_.request_timeout : timeout;
  HEADRACE_ASSIGN_OR_RETURN(const H2Endpoint endpoint, MakeH2Endpoint(target_));
  HEADRACE_ASSIGN_OR_RETURN(Poller poller, Poller::Make());
  const GrpcCallFields head(target_, method, limit);
  Exchange exchange(poller, endpoint, message);
  const Nanos now = Clock::Real().Now();
  Result<std::string> answer = exchange.Run(head, now + target_.connect_timeout, now + limit);
  if (!answer.ok()) {
    return answer.status().WithPrefix(Url(method) + ": ");
  }
  return answer;
}

}  // namespace headrace::load
