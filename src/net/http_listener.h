// One loop's share of a listener: its listening socket, its connections, their timeouts and
// counters.
#ifndef HEADRACE_NET_HTTP_LISTENER_H_
#define HEADRACE_NET_HTTP_LISTENER_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/gate.h"
#include "base/intrusive_list.h"
#include "base/unique_fd.h"
#include "net/connection.h"
#include "net/grpc.h"
#include "net/http.h"
#include "net/http2_timers.h"
#include "net/listener_cells.h"
#include "net/listener_options.h"
#include "net/timeout_list.h"

namespace headrace::net {

// Everything but `cells` runs on the loop's thread.
class HttpListener final : public EventSource, public TurnHook {
 public:
  struct Timeouts {
    explicit Timeouts(const HttpLimits& limits);
    TimeoutList keep_alive, header, body_idle, body_rate, write, linger;
  };

  // All borrowed but the socket, which is listening. `gate` counts the open connections of all
  // loops. A handler that is null: its requests are refused.
  HttpListener(EventLoop& loop, UniqueFd socket, const ListenerOptions& options,
               HttpHandler* handler, GrpcHandler* grpc_handler, Gate& gate);
  ~HttpListener() override;

  Status Start();
  void StopAccepting();
  void BeginDrain();
  // Closes every connection and the listening socket and leaves the loop; nothing may be called
  // after it.
  void Shutdown();

  void OnEvents(std::uint32_t events) override;
  Nanos NextDeadline() override;
  void OnTurn(Nanos now) override;

  EventLoop& loop() { return loop_; }
  const ListenerOptions& options() const { return options_; }
  const HttpLimits& limits() const { return options_.limits; }
  HttpHandler& handler() { return *handler_; }  // only where there is one
  HttpHandler* http_handler() { return handler_; }
  GrpcHandler* grpc_handler() { return grpc_handler_; }
  Timeouts& timeouts() { return timeouts_; }
  Http2Timers& http2_timers() { return http2_timers_; }
  ListenerCells& cells() { return cells_; }
  const ListenerCells& cells() const { return cells_; }
  bool draining() const { return draining_; }
  // Whether new connections are taken; false from StopAccepting() on.
  bool accepting() const { return static_cast<bool>(socket_); }
  // The connection has closed its socket; it is destroyed at the end of the turn.
  void OnClosed(Connection& connection);
  // `successor` takes the place, the socket `fd` and the events of `old`, which is destroyed at the
  // end of the turn, and begins with what `old` has received.
  void Replace(Connection& old, std::unique_ptr<Connection> successor, int fd,
               std::string_view received);
  // Has Connection::Flush called at the end of this turn.
  void FlushLater(Connection& connection);
  // Counts it and logs at most one in a second.
  void OnHandshakeFailed(std::string_view reason);

 private:
  bool AcceptOne();
  void Admit(UniqueFd fd, std::uint64_t peer);
  bool ShedWithReserve();
  void RefuseSocket(UniqueFd fd);
  void Pause();

  EventLoop& loop_;
  UniqueFd socket_;
  UniqueFd reserve_;  // given up for a moment to answer 503 when the process has no descriptor left
  const ListenerOptions& options_;
  HttpHandler* const handler_;
  GrpcHandler* const grpc_handler_;
  Gate& gate_;
  bool draining_ = false;
  Nanos resume_accept_ = kNever;
  Timeouts timeouts_;
  Http2Timers http2_timers_;
  Nanos handshake_logged_ = -kSecond;
  IntrusiveList<Connection> connections_;
  IntrusiveList<Connection, DirtyTag> dirty_;
  ListenerCells cells_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP_LISTENER_H_
