// The half of HttpConnection that sends answers.
#include <cerrno>
#include <utility>

#include "net/http_connection.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
// What is read and thrown away so that the peer sees the answer instead of a reset.
constexpr std::uint64_t kLingerByteSizeMax = std::uint64_t{256} << 20;

}  // namespace

void HttpConnection::Respond(HttpResponse response) {
  if (state_ != State::kWork) {
    return;
  }
  Send(std::move(response));
  Advance();
}

// What is the same of all answers.
ResponseFraming HttpConnection::BeginAnswer(bool close) {
  // Where the port is shut, this answer is the last: the client hears it from the answer, not from
  // an end that it may meet with the next request in its hands.
  const bool ending = draining_ || !listener_.accepting();
  if (close || (ending && !close_after_)) {
    close_after_ = linger_ = true;
  }
  ResponseFraming framing;
  framing.head_only = exchange_ != nullptr && exchange_->head_.method == HttpMethod::kHead;
  framing.close = close_after_;
  framing.http_1_0 = parser_.http_1_0();
  framing.prefix_sent = std::exchange(prefix_sent_, false);
  body_.Reset();
  listener_.cells().responses.Add(1);
  written_since_armed_ = 0;
  return framing;
}

void HttpConnection::Send(HttpResponse response) {
  const ResponseFraming framing = BeginAnswer(response.close);
  EndExchange(false);
  OnProgress(
      output_.Send(stream_, std::move(response), framing, listener_.loop().impl().head_scratch()));
}

void HttpConnection::OnProgress(ResponseOutput::Progress progress) {
  listener_.cells().bytes_sent.Add(progress.byte_size);
  written_since_armed_ += progress.byte_size;
  switch (progress.outcome) {
    case ResponseOutput::Outcome::kDone:
      AfterResponse();
      break;
    case ResponseOutput::Outcome::kBlocked:
      writable_ = false;
      state_ = State::kWrite;
      break;
    case ResponseOutput::Outcome::kFailed:
      state_ = State::kWrite;
      Close();
      break;
  }
}

void HttpConnection::AfterResponse() {
  if (!close_after_) {
    state_ = State::kIdle;
    return;
  }
  // Closing a socket with unread bytes resets the connection, and a reset may overtake the answer.
  if (!linger_ && !readable_ && input_.empty() && saved_.empty()) {
    state_ = State::kLinger;
    Close();
    return;
  }
  stream_.ShutdownWrite();
  input_ = {};
  saved_ = {};
  linger_byte_size_ = 0;
  readable_ = true;
  state_ = State::kLinger;
}

bool HttpConnection::StepLinger() {
  if (!readable_) {
    return false;
  }
  if (reads_left_-- == 0) {
    listener_.loop().impl().ResumeLater(*this);
    return false;
  }
  const ssize_t count = stream_.Drop(std::size_t{1} << 20);
  if (count > 0) {
    linger_byte_size_ += static_cast<std::uint64_t>(count);
    if (linger_byte_size_ <= kLingerByteSizeMax) {
      return true;
    }
  } else if (count < 0 && errno == EAGAIN) {
    readable_ = false;
    return false;
  }
  Close();
  return false;
}

void HttpConnection::SendContinue() {
  if (stream_.SendWhole(kContinue)) {
    listener_.cells().bytes_sent.Add(kContinue.size());
  } else {
    Close();
  }
}

void HttpConnection::ProbePeer() {
  prefix_sent_ = true;
  if (stream_.SendWhole(kStatusLinePrefix)) {
    listener_.cells().bytes_sent.Add(kStatusLinePrefix.size());
  } else {
    Close();
  }
}

}  // namespace headrace::net
