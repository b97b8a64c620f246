// A set of event loops that serve HTTP on one or more listeners.
#ifndef HEADRACE_NET_HTTP_SERVER_H_
#define HEADRACE_NET_HTTP_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/event_loop.h"
#include "net/grpc.h"
#include "net/http.h"
#include "net/listener_options.h"
#include "telemetry/prometheus.h"

namespace headrace::net {

// Counters of one listener, for /metrics and for tests of the ledger.
struct ListenerCounters {
  std::uint64_t connections_accepted = 0, connections_open = 0, connections_refused = 0;
  std::uint64_t requests = 0, responses = 0, bad_requests = 0, timeouts = 0, cancelled = 0,
                bytes_received = 0, bytes_sent = 0;
  std::uint64_t http2_connections = 0, http2_streams = 0, refused_streams = 0, grpc_calls = 0,
                grpc_deadlines = 0, handshake_failures = 0;
};

struct HttpServerOptions {
  int loop_count = 1;
  bool pin_threads = false;
};

// Start: Create, AddListener for each, then nothing more; connections are spread over the loops
// (SO_REUSEPORT, one listening socket per loop, all bound before the first accept, so that half of
// the listeners never stay open). End: StopAccepting, then DrainConnections, then destruction.
class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> Create(HttpServerOptions options, BlockPool& pool,
                                                    const Clock& clock);
  ~HttpServer();

  // Binds and serves HTTP/1.1 and HTTP/2, and gRPC where `grpc_handler` is given; returns the port.
  // The handlers are borrowed. Failure: the address, the port and the system's reason.
  Result<std::uint16_t> AddListener(const ListenerOptions& options, HttpHandler& handler,
                                    GrpcHandler* grpc_handler = nullptr);
  // Serves gRPC alone: HTTP/2 whatever `options.http1` says.
  Result<std::uint16_t> AddGrpcListener(ListenerOptions options, GrpcHandler& grpc_handler);
  // Closes the listening sockets of all listeners but those named in `keep`. Connections stay.
  void StopAccepting(const std::vector<std::string>& keep = {});
  // Of the listeners that no longer accept: closes idle connections now and the others behind their
  // current answer
  // ("Connection: close"). True when none is left within `timeout` (of real time).
  bool DrainConnections(Nanos timeout);

  ListenerCounters counters(const std::string& listener) const;
  // headrace_http_* families.
  void Collect(telemetry::PrometheusWriter& writer) const;
  const std::vector<std::unique_ptr<EventLoop>>& loops() const;

 private:
  class Impl;
  Result<std::uint16_t> Add(const ListenerOptions& options, HttpHandler* handler,
                            GrpcHandler* grpc_handler);
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP_SERVER_H_
