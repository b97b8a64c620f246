#include "net/http_listener.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <utility>

namespace headrace::net {
namespace {

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

HttpListener::HttpListener(EventLoop& loop, UniqueFd socket, const HttpLimits& limits,
                           HttpHandler& handler, Gate& gate)
    : loop_(loop),
      socket_(std::move(socket)),
      reserve_(OpenReserve()),
      limits_(limits),
      handler_(handler),
      gate_(gate),
      timeouts_(limits) {}

HttpListener::~HttpListener() = default;

Status HttpListener::Start() {
  HEADRACE_RETURN_IF_ERROR(loop_.impl().Add(socket_.get(), EPOLLIN, *this));
  loop_.impl().AddHook(*this);
  return OkStatus();
}

void HttpListener::StopAccepting() {
  socket_.Reset();
  reserve_.Reset();
  resume_accept_ = kNever;
}

void HttpListener::BeginDrain() {
  draining_ = true;
  HttpConnection* connection = connections_.First();
  while (connection != nullptr) {
    HttpConnection* following = connections_.Next(*connection);
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
  UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) {
    Admit(std::move(fd));
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

void HttpListener::Admit(UniqueFd fd) {
  if (static_cast<std::size_t>(gate_.inside()) >= limits_.connection_count_max ||
      !gate_.TryEnter()) {
    RefuseSocket(std::move(fd));
    return;
  }
  const int number = fd.get();
  auto connection = std::make_unique<HttpConnection>(std::move(fd), *this);
  if (!loop_.impl().Add(number, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *connection).ok()) {
    gate_.Leave();
    cells_.refused.Add(1);
    return;
  }
  cells_.accepted.Add(1);
  connections_.PushBack(*connection.release());
}

void HttpListener::OnClosed(HttpConnection& connection) {
  connections_.Remove(connection);
  cells_.closed.Add(1);
  gate_.Leave();
  loop_.impl().DestroyLater(std::unique_ptr<HttpConnection>(&connection));
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
  return std::min({resume_accept_, timeouts_.keep_alive.NextDeadline(),
                   timeouts_.header.NextDeadline(), timeouts_.body_idle.NextDeadline(),
                   timeouts_.body_rate.NextDeadline(), timeouts_.write.NextDeadline(),
                   timeouts_.linger.NextDeadline()});
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
      entry->Owner<HttpConnection>().OnTimeout();
    }
  }
  while (TimeoutEntry* entry = timeouts_.body_rate.PopExpired(now)) {
    entry->Owner<HttpConnection>().OnRateCheck();
  }
}

}  // namespace headrace::net
