// One loop's share of a listener: its listening socket, its connections, their timeouts and
// counters.
#ifndef HEADRACE_NET_HTTP_LISTENER_H_
#define HEADRACE_NET_HTTP_LISTENER_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/gate.h"
#include "base/intrusive_list.h"
#include "base/unique_fd.h"
#include "net/event_loop_impl.h"
#include "net/http.h"
#include "net/http_connection.h"
#include "net/listener_cells.h"
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
  // loops.
  HttpListener(EventLoop& loop, UniqueFd socket, const HttpLimits& limits, HttpHandler& handler,
               Gate& gate);
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
  const HttpLimits& limits() const { return limits_; }
  HttpHandler& handler() { return handler_; }
  Timeouts& timeouts() { return timeouts_; }
  ListenerCells& cells() { return cells_; }
  const ListenerCells& cells() const { return cells_; }
  bool draining() const { return draining_; }
  // The connection has closed its socket; it is destroyed at the end of the turn.
  void OnClosed(HttpConnection& connection);

 private:
  bool AcceptOne();
  void Admit(UniqueFd fd);
  bool ShedWithReserve();
  void RefuseSocket(UniqueFd fd);
  void Pause();

  EventLoop& loop_;
  UniqueFd socket_;
  UniqueFd reserve_;  // given up for a moment to answer 503 when the process has no descriptor left
  const HttpLimits& limits_;
  HttpHandler& handler_;
  Gate& gate_;
  bool draining_ = false;
  Nanos resume_accept_ = kNever;
  Timeouts timeouts_;
  IntrusiveList<HttpConnection> connections_;
  ListenerCells cells_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP_LISTENER_H_
