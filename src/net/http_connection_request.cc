// The half of HttpConnection that takes requests in.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "net/http_connection.h"
#include "net/http_listener.h"

namespace headrace::net {

bool HttpConnection::StepHead() {
  if (!FillInput()) {
    return false;
  }
  if (input_.empty()) {
    return true;  // interrupted: read again
  }
  if (state_ == State::kIdle) {
    exchange_ = std::make_shared<HttpExchange>(listener_.loop(), this);
    exchange_->begun_ = listener_.loop().now();
    exchange_->head_.peer = peer();
    parser_.Start(exchange_->head_, exchange_->head_bytes_);
    state_ = State::kHead;
  }
  const HttpParser::Step step = parser_.ParseHead(input_);
  input_.remove_prefix(step.consumed);
  if (step.outcome == HttpParser::Outcome::kFailed) {
    Fail(parser_.failure());
  } else if (step.outcome == HttpParser::Outcome::kComplete) {
    OnHeadComplete();
  }
  return true;
}

void HttpConnection::OnHeadComplete() {
  const HttpLimits& limits = listener_.limits();
  ++request_count_;
  listener_.cells().requests.Add(1);
  const bool last = limits.requests_per_connection_max != 0 &&
                    request_count_ >= limits.requests_per_connection_max;
  const bool old = listener_.loop().now() - opened_ >= limits.connection_age_max;
  close_after_ = !parser_.keep_alive() || last || old;
  linger_ = parser_.keep_alive();

  const HttpRequestHead& head = exchange_->head_;
  BodyPlan plan = listener_.handler().OnHead(head);
  if (plan.refuse_status != 0) {
    Refuse(std::move(plan));
  } else if (head.content_length.value_or(0) > plan.byte_size_max) {
    Fail({413, "request body too large"});
  } else if (head.chunked || head.content_length.value_or(0) > 0) {
    StartBody(plan);
  } else {
    Dispatch();
  }
}

void HttpConnection::StartBody(const BodyPlan& plan) {
  const HttpRequestHead& head = exchange_->head_;
  state_ = State::kBody;
  body_began_ = listener_.loop().now();
  body_byte_size_max_ = plan.byte_size_max;
  if (head.chunked) {
    body_.StartChunked(listener_.loop().pool(), plan.aligned_offset);
  } else {
    body_.StartSized(listener_.loop().pool(), *head.content_length, plan.aligned_offset);
  }
  if (parser_.expects_continue() && input_.empty()) {
    SendContinue();
  }
}

// Bytes of a body with Content-Length never pass the parser: what came with the head is copied, the
// rest goes from the socket into its place. Exactly what is missing is asked for, so the next
// request stays in the kernel.
bool HttpConnection::StepSizedBody() {
  if (body_.left() == 0) {
    Dispatch();
    return true;
  }
  std::span<char> space;
  if (input_.empty()) {
    space = body_.ReceiveSpace();
  }
  if (space.empty()) {
    if (!FillInput()) {
      return false;
    }
    const std::string_view bytes =
        input_.substr(0, std::min<std::uint64_t>(input_.size(), body_.left()));
    input_.remove_prefix(bytes.size());
    if (!body_.Append(bytes)) {
      Fail({503, "no memory for the request body"});
    }
    return true;
  }
  if (!readable_) {
    return false;
  }
  if (reads_left_-- == 0) {
    listener_.loop().impl().ResumeLater(*this);
    return false;
  }
  const ssize_t count = stream_.Receive(space.data(), space.size());
  if (count > 0) {
    readable_ = stream_.MayHoldMore(static_cast<std::size_t>(count), space.size()) || peer_closed_;
    listener_.cells().bytes_received.Add(static_cast<std::uint64_t>(count));
    body_.Received(static_cast<std::size_t>(count));
    return true;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    readable_ = errno == EINTR;
    return readable_;
  }
  Close();
  return false;
}

bool HttpConnection::StepChunkedBody() {
  if (!FillInput()) {
    return false;
  }
  const HttpParser::Step step = parser_.ParseChunks(input_, body_, body_byte_size_max_);
  input_.remove_prefix(step.consumed);
  if (step.outcome == HttpParser::Outcome::kFailed) {
    Fail(parser_.failure());
  } else if (step.outcome == HttpParser::Outcome::kComplete) {
    Dispatch();
  }
  return true;
}

void HttpConnection::Dispatch() {
  exchange_->body_ = body_.Finish();
  exchange_->received_ = listener_.loop().now();
  state_ = State::kWork;
  listener_.handler().OnRequest(exchange_);
}

// A refusal before the body was read ends the connection, unless the whole body is at hand to be
// skipped.
void HttpConnection::Refuse(BodyPlan plan) {
  const HttpRequestHead& head = exchange_->head_;
  const std::uint64_t length = head.content_length.value_or(0);
  if (!head.chunked && length <= input_.size()) {
    input_.remove_prefix(length);
  } else {
    close_after_ = linger_ = true;
  }
  HttpResponse response;
  response.status = plan.refuse_status;
  response.extra_headers = std::move(plan.refuse_headers);
  if (plan.refuse_json.empty()) {
    response.content_type = {};
  }
  response.body.push_back(Buffer::FromString(std::move(plan.refuse_json)));
  state_ = State::kWork;
  Send(std::move(response));
}

void HttpConnection::Fail(HttpFailure failure) {
  HEADRACE_CHECK(failure.status != 0);
  listener_.cells().Rejections(failure.status).Add(1);
  close_after_ = linger_ = true;
  input_ = {};
  HttpResponse response;
  response.status = failure.status;
  if (failure.status == 503) {
    response.extra_headers = "Retry-After: 1\r\n";
  }
  response.body.push_back(
      Buffer::FromString("{\"error\":\"" + std::string(failure.reason) + "\"}"));
  state_ = State::kWork;
  Send(std::move(response));
}

}  // namespace headrace::net
