#include "net/http_connection.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/check.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

// Reads of one connection before the others have their turn.
constexpr int kReadsPerTurn = 64;

}  // namespace

HttpConnection::HttpConnection(ByteStream stream, HttpListener& listener)
    : stream_(std::move(stream)),
      listener_(listener),
      parser_(listener.limits()),
      opened_(listener.loop().now()) {
  ArmTimeouts();
}

HttpConnection::~HttpConnection() = default;

void HttpConnection::Begin(std::string_view received) {
  saved_ = received;
  readable_ = true;
  Advance();
}

void HttpConnection::OnEvents(std::uint32_t events) {
  if (state_ == State::kClosed) {
    return;
  }
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    Close();
    return;
  }
  readable_ = readable_ || (events & (EPOLLIN | EPOLLRDHUP)) != 0;
  peer_closed_ = peer_closed_ || (events & EPOLLRDHUP) != 0;
  writable_ = writable_ || (events & EPOLLOUT) != 0;
  if (writable_ && Blocked()) {
    if (streamed_ != nullptr) {
      WriteStream();
    } else {
      OnProgress(output_.Continue(stream_));
    }
  }
  Advance();
}

// Does all that can be done without waiting, then arms the timeout of the state it ends in.
void HttpConnection::Advance() {
  if (advancing_ || state_ == State::kClosed) {
    return;
  }
  advancing_ = true;
  reads_left_ = kReadsPerTurn;
  input_ = saved_;
  while (Step()) {
  }
  advancing_ = false;
  if (state_ != State::kClosed) {
    SaveInput();
    ArmTimeouts();
  }
}

// One move of the state machine; false when it has to wait for something.
bool HttpConnection::Step() {
  switch (state_) {
    case State::kIdle:
    case State::kHead:
      return StepHead();
    case State::kBody:
      return exchange_->head_.chunked ? StepChunkedBody() : StepSizedBody();
    case State::kWork:
      if (peer_closed_ && !prefix_sent_) {
        ProbePeer();
      }
      return false;
    case State::kStream:
      if (peer_closed_ && streamed_->Probe()) {
        WriteStream();
        return true;
      }
      return false;
    case State::kLinger:
      return StepLinger();
    case State::kWrite:
    case State::kStreamBlocked:
    case State::kClosed:
      return false;
  }
  return false;
}

// Makes `input_` not empty by one read; false when there is nothing now or the connection was
// closed.
bool HttpConnection::FillInput() {
  if (!input_.empty()) {
    return true;
  }
  if (!readable_) {
    return false;
  }
  if (reads_left_-- == 0) {
    listener_.loop().impl().ResumeLater(*this);
    return false;
  }
  char* scratch = listener_.loop().impl().scratch();
  const ssize_t count = stream_.Receive(scratch, EventLoop::Impl::kScratchByteSize);
  if (count > 0) {
    // Less than asked for: nothing is left, and more to come brings a new event. Behind a FIN there
    // is still its end-of-file to read.
    readable_ =
        stream_.MayHoldMore(static_cast<std::size_t>(count), EventLoop::Impl::kScratchByteSize) ||
        peer_closed_;
    listener_.cells().bytes_received.Add(static_cast<std::uint64_t>(count));
    input_ = {scratch, static_cast<std::size_t>(count)};
    return true;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    readable_ = errno == EINTR;
    return readable_;
  }
  Close();
  return false;
}

void HttpConnection::SaveInput() {
  if (input_.empty()) {
    saved_ = {};
  } else if (input_.size() != saved_.size() || input_.data() != saved_.data()) {
    saved_ = std::string(input_);
  }
  input_ = {};
}

void HttpConnection::ArmTimeouts() {
  const Nanos now = listener_.loop().now();
  HttpListener::Timeouts& timeouts = listener_.timeouts();
  const bool begins = state_ != timed_state_ || request_count_ != timed_request_;
  timed_state_ = state_;
  timed_request_ = request_count_;
  switch (state_) {
    case State::kIdle:
      rate_check_.Disarm();
      // Whoever has asked for nothing yet has the time of a request head only.
      (request_count_ == 0 ? timeouts.header : timeouts.keep_alive).Arm(timeout_, now);
      break;
    case State::kHead:
      if (!parser_.begun()) {
        timed_state_ = State::kIdle;
      } else if (begins) {
        timeouts.header.Arm(timeout_, now);
      }
      break;
    case State::kBody:
      timeouts.body_idle.Arm(timeout_, now);
      if (begins) {
        timeouts.body_rate.Arm(rate_check_, now);
      }
      break;
    case State::kWrite:
    case State::kStreamBlocked:
      if (begins || TookEnough()) {
        ArmWriteTimeout();
      }
      rate_check_.Disarm();
      break;
    case State::kLinger:
      rate_check_.Disarm();
      if (begins) {
        timeouts.linger.Arm(timeout_, now);
      }
      break;
    case State::kWork:
    case State::kStream:
    case State::kClosed:
      timeout_.Disarm();
      rate_check_.Disarm();
      break;
  }
}

// A peer that takes a byte now and then must not keep an answer's memory for ever: only progress at
// the floor's rate counts. What counts is what the peer has acknowledged: the kernel asks for more
// only when much of its buffer is free again, which may take longer than the timeout.
bool HttpConnection::TookEnough() const {
  const HttpLimits& limits = listener_.limits();
  const std::uint64_t progress = limits.body_bytes_per_second_min *
                                 static_cast<std::uint64_t>(limits.write_idle_timeout / kSecond);
  const std::uint64_t handed_over = unacknowledged_when_armed_ + written_since_armed_;
  return handed_over >= stream_.UnacknowledgedByteSize() + std::max<std::uint64_t>(progress, 1);
}

void HttpConnection::ArmWriteTimeout() {
  unacknowledged_when_armed_ = stream_.UnacknowledgedByteSize();
  written_since_armed_ = 0;
  listener_.timeouts().write.Arm(timeout_, listener_.loop().now());
}

void HttpConnection::OnTimeout() {
  if (Blocked() && TookEnough()) {
    ArmWriteTimeout();
    return;
  }
  const bool silent = state_ == State::kIdle || state_ == State::kLinger ||
                      (state_ == State::kHead && !parser_.begun());
  if (!silent) {
    listener_.cells().timeouts.Add(1);
  }
  if (state_ == State::kHead && !silent) {
    Fail({408, "the request head did not arrive in time"});
  } else if (state_ == State::kBody) {
    Fail({408, "the request body did not arrive in time"});
  } else {
    Close();
    return;
  }
  Advance();
}

void HttpConnection::OnRateCheck() {
  if (state_ != State::kBody) {
    return;
  }
  const HttpLimits& limits = listener_.limits();
  const Nanos now = listener_.loop().now();
  const auto seconds =
      static_cast<std::uint64_t>(std::max<Nanos>((now - body_began_) / kSecond, 0));
  if (body_.received() / limits.body_bytes_per_second_min >= seconds) {
    listener_.timeouts().body_rate.Arm(rate_check_, now);
    return;
  }
  listener_.cells().timeouts.Add(1);
  Fail({408, "the request body arrives too slowly"});
  Advance();
}

void HttpConnection::BeginDrain() {
  draining_ = true;
  // A request may have come that the loop has not seen yet: it is still answered.
  readable_ = readable_ || state_ == State::kIdle;
  Advance();
  if (state_ == State::kIdle || (state_ == State::kHead && !parser_.begun())) {
    Close();
  }
}

void HttpConnection::Close() {
  if (state_ == State::kClosed) {
    return;
  }
  if (InWork()) {
    listener_.cells().cancelled.Add(1);
  }
  state_ = State::kClosed;
  EndExchange(true);
  ArmTimeouts();
  listener_.loop().impl().Remove(stream_.fd());
  stream_.Close();
  body_.Reset();
  output_.Reset();
  streamed_.reset();
  saved_ = {};
  listener_.OnClosed(*this);
}

void HttpConnection::EndExchange(bool cancelled) {
  if (exchange_ != nullptr) {
    exchange_->responder_ = nullptr;
    if (cancelled) {
      exchange_->cancelled_.store(true, std::memory_order_relaxed);
    }
    exchange_.reset();
  }
}

}  // namespace headrace::net
