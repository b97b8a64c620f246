#include "load/http_connection.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace headrace::load {
namespace {

constexpr std::size_t kPieceCountMax = 64;  // of one write
// Reads of one event, so that a connection with a large answer does not keep the others waiting.
constexpr int kReadCountMax = 16;
// Below it a read into the buffer costs less than a call more.
constexpr std::uint64_t kDropByteSizeMin = 16 * 1024;

}  // namespace

HttpConnection::~HttpConnection() {
  if (state_ != State::kClosed) {
    shared_.poller.Remove(stream_ ? stream_->fd() : fd_.get(), *this);
  }
}

void HttpConnection::Open(const SocketAddress& address, Nanos deadline) {
  deadline_ = deadline;
  carried_one_ = writable_watched_ = false;
  droppable_ = shared_.tls == nullptr && !address.is_unix();
  auto fd = StartConnect(address);
  Status status = fd.status();
  if (fd.ok()) {
    fd_ = *std::move(fd);
    status = shared_.poller.Add(fd_.get(), EPOLLOUT, *this);
  }
  if (!status.ok()) {
    fd_.Reset();
    shared_.owner.OnClosed(*this, false, std::move(status));
    return;
  }
  state_ = State::kConnecting;
}

void HttpConnection::FinishConnect() {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    error = errno;
  }
  if (error != 0) {
    Close(Unavailable("{}", std::strerror(error)));
    return;
  }
  if (shared_.tls != nullptr) {
    tls_ = shared_.tls->NewSession(fd_.get());
    state_ = State::kHandshake;
    if (tls_ == nullptr) {
      Close(Unavailable("no memory for TLS"));
      return;
    }
    if (const Status status = shared_.poller.Modify(fd_.get(), EPOLLIN | EPOLLRDHUP, *this);
        !status.ok()) {
      Close(status);
      return;
    }
    ContinueHandshake();
    return;
  }
  stream_.emplace(std::move(fd_));
  BecomeIdle();
}

void HttpConnection::ContinueHandshake() {
  switch (tls_->ContinueHandshake()) {
    case net::TlsSession::Handshake::kWaits:
      return;
    case net::TlsSession::Handshake::kFailed:
      Close(Unavailable("TLS: {}", tls_->failure()));
      return;
    case net::TlsSession::Handshake::kDone:
      stream_.emplace(std::move(fd_), std::move(tls_));
      BecomeIdle();
  }
}

void HttpConnection::BecomeIdle() {
  if (state_ == State::kConnecting || writable_watched_) {
    writable_watched_ = false;
    if (Status status = shared_.poller.Modify(stream_->fd(), EPOLLIN | EPOLLRDHUP, *this);
        !status.ok()) {
      Close(std::move(status));
      return;
    }
  }
  const bool came_up = state_ != State::kIdle;
  state_ = State::kIdle;
  deadline_ = kNever;
  shared_.owner.OnIdle(*this, came_up);
}

void HttpConnection::Assign(const Outgoing& request, const EncodedRequest& encoded,
                            std::uint64_t request_id) {
  state_ = State::kBusy;
  encoded_ = &encoded;
  slot_ = request.slot;
  deadline_ = request.timeout_at;
  written_byte_size_ = 0;
  if (!encoded.fields.empty()) {
    filled_ = encoded.head;
    FillFields(encoded.fields, request, request_id, filled_);
  }
  HttpResponseParser::Wanted wanted;
  wanted.body = encoded.golden != nullptr;
  wanted.chunks_are_responses = shared_.target.protocol == Protocol::kTorchServe;
  parser_.Start(wanted);
}

// What of the request is not yet written.
std::size_t HttpConnection::Gather(std::span<iovec> pieces) const {
  std::size_t skipped = written_byte_size_;
  std::size_t count = 0;
  for (std::size_t i = 0; i < encoded_->pieces.size() && count < pieces.size(); ++i) {
    std::string_view piece =
        i == 0 && !encoded_->fields.empty() ? std::string_view(filled_) : encoded_->pieces[i];
    if (skipped >= piece.size()) {
      skipped -= piece.size();
      continue;
    }
    piece.remove_prefix(std::exchange(skipped, 0));
    pieces[count++] = {const_cast<char*>(piece.data()), piece.size()};
  }
  return count;
}

void HttpConnection::Write() {
  if (written_byte_size_ == 0) {
    shared_.sink.OnSent(slot_, Clock::Real().Now(), !std::exchange(carried_one_, true));
  }
  std::array<iovec, kPieceCountMax> pieces;
  while (written_byte_size_ < encoded_->byte_size) {
    const std::size_t count = Gather(pieces);
    const ssize_t size = stream_->Send(std::span(pieces.data(), count));
    if (size >= 0) {
      written_byte_size_ += static_cast<std::size_t>(size);
    } else if (errno == EAGAIN) {
      WatchWritable(true);
      return;
    } else if (errno != EINTR) {
      const int error = errno;
      // The server may have said why before it closed.
      Read();
      if (state_ == State::kBusy) {
        EndRequest(Outcome::kReset, 0);
        Close(Unavailable("{}", std::strerror(error)));
      }
      return;
    }
  }
  WatchWritable(false);
}

void HttpConnection::WatchWritable(bool watched) {
  if (watched != writable_watched_) {
    writable_watched_ = watched;
    const std::uint32_t events = EPOLLIN | EPOLLRDHUP | (watched ? EPOLLOUT : 0U);
    // It can only fail for want of memory; then the request ends by its timeout.
    static_cast<void>(shared_.poller.Modify(stream_->fd(), events, *this));
  }
}

void HttpConnection::OnEvents(std::uint32_t epoll_events) {
  switch (state_) {
    case State::kClosed:
      return;
    case State::kConnecting:
      FinishConnect();
      return;
    case State::kHandshake:
      ContinueHandshake();
      return;
    case State::kIdle:
      ReadIdle();
      return;
    case State::kBusy:
      if ((epoll_events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) {
        Read();
      }
      if (state_ == State::kBusy && (epoll_events & EPOLLOUT) != 0) {
        Write();
      }
  }
}

// Nothing is expected: it is the end, or something that only TLS has an interest in.
void HttpConnection::ReadIdle() {
  const ssize_t size = stream_->Receive(shared_.buffer.data(), shared_.buffer.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  Close(Unavailable("{}", size == 0 ? "closed by the server" : "bytes without a request"));
}

// One read; the result is that of recv(2).
ssize_t HttpConnection::ReadOnce(HttpResponseParser::State& answer) {
  const std::uint64_t droppable = droppable_ ? parser_.droppable_byte_size() : 0;
  if (droppable >= kDropByteSizeMin) {
    const ssize_t size = stream_->Drop(std::min<std::uint64_t>(droppable, INT32_MAX));
    if (size > 0) {
      answer = parser_.Dropped(static_cast<std::uint64_t>(size));
    }
    return size;
  }
  const ssize_t size = stream_->Receive(shared_.buffer.data(), shared_.buffer.size());
  if (size > 0) {
    answer = parser_.Feed({shared_.buffer.data(), static_cast<std::size_t>(size)});
  }
  return size;
}

void HttpConnection::Read() {
  // TLS is asked until it has nothing: epoll does not see what it holds.
  for (int i = 0; i < kReadCountMax || stream_->is_tls(); ++i) {
    auto answer = HttpResponseParser::State::kMore;
    const ssize_t size = ReadOnce(answer);
    if (size < 0) {
      if (errno == EAGAIN || errno == EINTR) {
        return;
      }
      const int error = errno;
      EndRequest(Outcome::kReset, 0);
      Close(Unavailable("{}", std::strerror(error)));
      return;
    }
    if (size == 0) {
      answer = parser_.Finish();
    }
    if (const std::uint32_t count = parser_.TakeResponses(); count > 0) {
      const Nanos now = Clock::Real().Now();
      for (std::uint32_t response = 0; response < count; ++response) {
        shared_.sink.OnResponse(slot_, now);
      }
    }
    if (answer != HttpResponseParser::State::kMore) {
      EndAnswer(answer);
      return;
    }
    if (!stream_->is_tls() && static_cast<std::size_t>(size) < shared_.buffer.size()) {
      return;
    }
  }
}

Outcome HttpConnection::OutcomeOf() const {
  const std::uint32_t status = parser_.status();
  if (status == 429 || status == 503) {
    return Outcome::kRefused;
  }
  if (status >= 500) {
    return Outcome::kServerError;
  }
  if (status < 200 || status >= 300) {
    return Outcome::kClientError;
  }
  if (parser_.stream_failed()) {
    return Outcome::kServerError;
  }
  return Outcome::kOk;
}

void HttpConnection::EndAnswer(HttpResponseParser::State answer) {
  if (answer == HttpResponseParser::State::kCut) {
    EndRequest(Outcome::kReset, 0);
    Close(Unavailable("closed by the server"));
    return;
  }
  if (answer == HttpResponseParser::State::kMalformed) {
    EndRequest(Outcome::kMalformed, parser_.status());
    Close(Unavailable("a malformed answer"));
    return;
  }
  const bool reusable = parser_.keep_alive() && written_byte_size_ == encoded_->byte_size;
  EndRequest(OutcomeOf(), parser_.status());
  if (reusable) {
    BecomeIdle();
  } else {
    Close(OkStatus());
  }
}

void HttpConnection::EndRequest(Outcome outcome, std::uint32_t wire_status) {
  const Nanos now = Clock::Real().Now();
  encoded_ = nullptr;
  state_ = State::kIdle;
  shared_.sink.OnDone(slot_, now, outcome, wire_status);
}

void HttpConnection::GiveUp(Nanos now) {
  if (state_ == State::kBusy) {
    encoded_ = nullptr;
    state_ = State::kIdle;
    shared_.sink.OnDone(slot_, now, Outcome::kTimeout, 0);
  }
  if (state_ != State::kClosed) {
    Close(Unavailable("no connection in time"));
  }
}

void HttpConnection::Close(Status why) {
  const bool was_up = state_ == State::kIdle || state_ == State::kBusy;
  shared_.poller.Remove(stream_ ? stream_->fd() : fd_.get(), *this);
  stream_.reset();
  tls_.reset();
  fd_.Reset();
  state_ = State::kClosed;
  deadline_ = kNever;
  shared_.owner.OnClosed(*this, was_up, std::move(why));
}

}  // namespace headrace::load
