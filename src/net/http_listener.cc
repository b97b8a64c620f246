#include "net/http_listener.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "net/peer_key.h"
#include "net/pending_connection.h"
#include "net/tls_context.h"

namespace headrace::net {
namespace {

constexpr std::uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr int kAcceptsPerTurn = 64;
constexpr Nanos kAcceptPause = 100 * kMillisecond;
constexpr Nanos kLingerTimeout = 5 * kSecond;
constexpr std::string_view kRefusal =
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: application/json\r\n"
    "Retry-After: 1\r\n"
    "Connection: close\r\n"
    "Content-Length: 34\r\n"
    "\r\n"
    "{\"error\":\"too many connections\"}\r\n";

UniqueFd OpenReserve() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

}  // namespace

HttpListener::Timeouts::Timeouts(const HttpLimits& limits)
    : keep_alive(limits.keep_alive_timeout),
      header(limits.header_timeout),
      body_idle(limits.body_idle_timeout),
      body_rate(limits.body_rate_grace),
      write(limits.write_idle_timeout),
      linger(kLingerTimeout) {}

HttpListener::HttpListener(EventLoop& loop, UniqueFd socket, const ListenerOptions& options,
                           HttpHandler* handler, GrpcHandler* grpc_handler, Gate& gate)
    : loop_(loop),
      socket_(std::move(socket)),
      reserve_(OpenReserve()),
      options_(options),
      handler_(handler),
      grpc_handler_(grpc_handler),
      gate_(gate),
      timeouts_(options.limits),
      http2_timers_(options) {}

HttpListener::~HttpListener() = default;

Status HttpListener::Start() {
  HEADRACE_RETURN_IF_ERROR(loop_.impl().Add(socket_.get(), EPOLLIN, *this));
  loop_.impl().AddHook(*this);
  return OkStatus();
}

void HttpListener::StopAccepting() {
  if (socket_) {
    loop_.impl().Remove(socket_.get());
  }
  socket_.Reset();
  reserve_.Reset();
  resume_accept_ = kNever;
}

void HttpListener::BeginDrain() {
  draining_ = true;
  Connection* connection = connections_.First();
  while (connection != nullptr) {
    Connection* following = connections_.Next(*connection);
    connection->BeginDrain();
    connection = following;
  }
}

void HttpListener::Shutdown() {
  StopAccepting();
  while (!connections_.empty()) {
    connections_.front().Close();
  }
  if (TurnHook::linked()) {
    loop_.impl().RemoveHook(*this);
  }
}

void HttpListener::OnEvents(std::uint32_t) {
  for (int i = 0; i < kAcceptsPerTurn && socket_; ++i) {
    if (!AcceptOne()) {
      return;
    }
  }
}

// False when nothing more can be accepted now.
bool HttpListener::AcceptOne() {
  sockaddr_storage peer;
  socklen_t peer_byte_size = sizeof(peer);
  UniqueFd fd(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &peer_byte_size,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) {
    Admit(std::move(fd), PeerKey(peer, peer_byte_size));
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE:
      return ShedWithReserve();
    case ENOBUFS:
    case ENOMEM:
      Pause();
      return false;
    default:
      return true;  // that connection died before it was accepted
  }
}

void HttpListener::Admit(UniqueFd fd, std::uint64_t peer) {
  if (static_cast<std::size_t>(gate_.inside()) >= options_.limits.connection_count_max ||
      !gate_.TryEnter()) {
    RefuseSocket(std::move(fd));
    return;
  }
  const int number = fd.get();
  std::unique_ptr<TlsSession> tls;
  if (options_.tls != nullptr && (tls = options_.tls->NewSession(number)) == nullptr) {
    gate_.Leave();
    cells_.refused.Add(1);
    return;
  }
  auto connection = std::make_unique<PendingConnection>(std::move(fd), std::move(tls), *this);
  connection->set_peer(peer);
  if (!loop_.impl().Add(number, kEvents, *connection).ok()) {
    gate_.Leave();
    cells_.refused.Add(1);
    return;
  }
  cells_.accepted.Add(1);
  connections_.PushBack(*connection.release());
}

void HttpListener::OnClosed(Connection& connection) {
  connections_.Remove(connection);
  if (static_cast<ListNode<DirtyTag>&>(connection).linked()) {
    dirty_.Remove(connection);
  }
  cells_.closed.Add(1);
  gate_.Leave();
  loop_.impl().DestroyLater(std::unique_ptr<Connection>(&connection));
}

void HttpListener::Replace(Connection& old, std::unique_ptr<Connection> successor, int fd,
                           std::string_view received) {
  Connection& replacement = *successor.release();
  replacement.set_peer(old.peer());
  connections_.Remove(old);
  connections_.PushBack(replacement);
  // Edge-triggered: what is there already is reported again, to the new source.
  loop_.impl().Modify(fd, kEvents, replacement);
  loop_.impl().DestroyLater(std::unique_ptr<Connection>(&old));
  replacement.Begin(received);
}

void HttpListener::FlushLater(Connection& connection) {
  if (!static_cast<ListNode<DirtyTag>&>(connection).linked()) {
    dirty_.PushBack(connection);
  }
}

void HttpListener::OnHandshakeFailed(std::string_view reason) {
  cells_.handshake_failures.Add(1);
  if (loop_.now() - handshake_logged_ >= kSecond) {
    handshake_logged_ = loop_.now();
    HEADRACE_LOG_WARNING("{}: TLS handshake failed: {} ({} so far on this loop)", options_.name,
                         reason, cells_.handshake_failures.value());
  }
}

// The process is out of descriptors: the reserve makes room for one connection, long enough to tell
// it so. Every call takes one connection out of the backlog, so the loop does not spin.
bool HttpListener::ShedWithReserve() {
  reserve_.Reset();
  UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const bool shed = fd.valid();
  const bool drained = !shed && errno == EAGAIN;
  if (shed) {
    RefuseSocket(std::move(fd));
  }
  reserve_ = OpenReserve();
  if (drained) {
    return false;
  }
  if (!shed || !reserve_) {
    Pause();
    return false;
  }
  return true;
}

void HttpListener::RefuseSocket(UniqueFd fd) {
  cells_.refused.Add(1);
  [[maybe_unused]] const ssize_t sent =
      ::send(fd.get(), kRefusal.data(), kRefusal.size(), MSG_NOSIGNAL);
  ::shutdown(fd.get(), SHUT_WR);
  // Unread bytes would turn the close into a reset, which may overtake the answer.
  [[maybe_unused]] const ssize_t dropped = ::recv(fd.get(), nullptr, 64 * 1024, MSG_TRUNC);
}

void HttpListener::Pause() {
  loop_.impl().Modify(socket_.get(), 0, *this);
  resume_accept_ = loop_.now() + kAcceptPause;
}

Nanos HttpListener::NextDeadline() {
  if (!dirty_.empty()) {
    return 0;
  }
  return std::min({resume_accept_, http2_timers_.NextDeadline(),
                   timeouts_.keep_alive.NextDeadline(), timeouts_.header.NextDeadline(),
                   timeouts_.body_idle.NextDeadline(), timeouts_.body_rate.NextDeadline(),
                   timeouts_.write.NextDeadline(), timeouts_.linger.NextDeadline()});
}

void HttpListener::OnTurn(Nanos now) {
  if (now >= resume_accept_) {
    resume_accept_ = kNever;
    if (!reserve_) {
      reserve_ = OpenReserve();
    }
    loop_.impl().Modify(socket_.get(), EPOLLIN, *this);
  }
  for (TimeoutList* list : {&timeouts_.keep_alive, &timeouts_.header, &timeouts_.body_idle,
                            &timeouts_.write, &timeouts_.linger}) {
    while (TimeoutEntry* entry = list->PopExpired(now)) {
      entry->Owner<Connection>().OnTimeout();
    }
  }
  while (TimeoutEntry* entry = timeouts_.body_rate.PopExpired(now)) {
    entry->Owner<Connection>().OnRateCheck();
  }
  http2_timers_.Run(now);
  // Whoever becomes dirty meanwhile has its turn in the next one.
  for (std::size_t count = dirty_.size(); count > 0 && !dirty_.empty(); --count) {
    dirty_.PopFront().Flush();
  }
}

}  // namespace headrace::net
