#include "net/pending_connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "net/byte_stream.h"
#include "net/http2_connection.h"
#include "net/http_connection.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

constexpr std::size_t kRestByteSizeMax = 1024 * 1024;  // of a request that was refused

}  // namespace

PendingConnection::PendingConnection(UniqueFd fd, std::unique_ptr<TlsSession> tls,
                                     HttpListener& listener)
    : fd_(std::move(fd)), tls_(std::move(tls)), listener_(listener) {
  listener_.timeouts().header.Arm(timeout_, listener_.loop().now());
}

void PendingConnection::Begin(std::string_view) {}

void PendingConnection::OnEvents(std::uint32_t events) {
  if (!fd_) {
    return;
  }
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    Close();
  } else if (refused_) {
    DropRest();
  } else if (tls_ != nullptr) {
    switch (LookAtFirstByte()) {
      case FirstByte::kNotThere:
        break;
      case FirstByte::kPlainText:
        RefusePlainText();
        break;
      case FirstByte::kTls:
        Handshake();
        break;
    }
  } else if ((events & (EPOLLIN | EPOLLRDHUP)) != 0) {
    Sniff();
  }
}

void PendingConnection::Handshake() {
  switch (tls_->ContinueHandshake()) {
    case TlsSession::Handshake::kWaits:
      break;
    case TlsSession::Handshake::kFailed:
      listener_.OnHandshakeFailed(tls_->failure());
      Close();
      break;
    case TlsSession::Handshake::kDone:
      Become(tls_->protocol() == "h2" || !listener_.options().http1, {});
      break;
  }
}

// A request of HTTP/1 begins with a method's name, and no record of TLS with such a byte. One look
// costs a handshake nothing that could be measured; before it the handshake has nothing to read,
// and might read the beginning of a request that has come since.
PendingConnection::FirstByte PendingConnection::LookAtFirstByte() {
  if (looked_ || !listener_.options().http1) {
    return FirstByte::kTls;
  }
  char first = 0;
  ssize_t count = 0;
  do {
    count = ::recv(fd_.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && errno == EAGAIN) {
    return FirstByte::kNotThere;
  }
  looked_ = true;
  return count == 1 && first >= 'A' && first <= 'Z' ? FirstByte::kPlainText : FirstByte::kTls;
}

void PendingConnection::RefusePlainText() {
  listener_.OnHandshakeFailed("the client speaks plain HTTP");
  tls_.reset();
  refused_ = true;
  const PlainTextRefusal& refusal = listener_.options().plain_text_refusal;
  const std::string answer = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\nConnection: close\r\n"
      "Content-Length: {}\r\n\r\n{}",
      refusal.status, HttpReason(refusal.status), refusal.json.size(), refusal.json);
  [[maybe_unused]] const ssize_t sent =
      ::send(fd_.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
  ::shutdown(fd_.get(), SHUT_WR);
  timeout_.Disarm();
  listener_.timeouts().linger.Arm(timeout_, listener_.loop().now());
  DropRest();
}

// Unread bytes would turn the close into a reset, which may overtake the answer.
void PendingConnection::DropRest() {
  while (true) {
    const ssize_t count = ::recv(fd_.get(), nullptr, kRestByteSizeMax, MSG_TRUNC);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0 && errno == EAGAIN) {
      return;
    }
    dropped_byte_size_ += static_cast<std::size_t>(std::max<ssize_t>(0, count));
    if (count <= 0 || dropped_byte_size_ >= kRestByteSizeMax) {
      Close();
      return;
    }
  }
}

void PendingConnection::Sniff() {
  if (!listener_.options().http1) {
    Become(true, {});
    return;
  }
  char* scratch = listener_.loop().impl().scratch();
  while (true) {
    const ssize_t count = ::recv(fd_.get(), scratch, EventLoop::Impl::kScratchByteSize, 0);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0 && errno == EAGAIN) {
      return;
    }
    if (count <= 0) {
      Close();
      return;
    }
    listener_.cells().bytes_received.Add(static_cast<std::uint64_t>(count));
    std::string_view received(scratch, static_cast<std::size_t>(count));
    if (!received_.empty()) {
      received_.append(received);
      received = received_;
    }
    if (received.starts_with(kHttp2Preface) || !kHttp2Preface.starts_with(received)) {
      Become(received.starts_with(kHttp2Preface), received);
      return;
    }
    received_ = received;
  }
}

void PendingConnection::Become(bool http2, std::string_view received) {
  timeout_.Disarm();
  ByteStream stream(std::move(fd_), std::move(tls_));
  std::unique_ptr<Connection> next;
  const int fd = stream.fd();
  if (http2) {
    next = std::make_unique<Http2Connection>(std::move(stream), listener_);
  } else {
    next = std::make_unique<HttpConnection>(std::move(stream), listener_);
  }
  const std::string own = received.data() == received_.data() ? std::move(received_) : "";
  listener_.Replace(*this, std::move(next), fd, own.empty() ? received : std::string_view(own));
}

void PendingConnection::OnTimeout() {
  if (tls_ != nullptr) {
    listener_.cells().timeouts.Add(1);
  }
  Close();
}

void PendingConnection::BeginDrain() {
  // A request may have come that the loop has not seen yet: it is still answered.
  OnEvents(EPOLLIN);
  if (fd_) {
    Close();
  }
}

void PendingConnection::Close() {
  if (fd_) {
    timeout_.Disarm();
    tls_.reset();
    listener_.loop().impl().Remove(fd_.get());
    fd_.Reset();
    listener_.OnClosed(*this);
  }
}

}  // namespace headrace::net
