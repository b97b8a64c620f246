// Where the program listens: services, ports, limits and certificates as the configuration says.
#ifndef HEADRACE_SERVER_LISTENERS_H_
#define HEADRACE_SERVER_LISTENERS_H_

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "net/grpc.h"
#include "net/http.h"
#include "server/server_config.h"
#include "telemetry/prometheus.h"
#include "tensor/block_pool.h"

namespace headrace::torchserve {
class Apis;
class LogLines;
}  // namespace headrace::torchserve

namespace headrace::server {

// The HTTP port speaks HTTP/1.1, HTTP/2 and, where gRPC is allowed, gRPC; the gRPC port speaks gRPC
// alone. One port for both (--grpc-port equal to --http-port) is opened once. TorchServe's
// listeners are served by the same loops (torchserve_listeners.h). Methods are called from the
// thread that made it.
class Listeners {
 public:
  struct Handlers {
    net::HttpHandler& v2;
    net::GrpcHandler& grpc;
    net::HttpHandler& metrics;
    torchserve::Apis* torchserve = nullptr;      // null: TorchServe's services do not listen
    torchserve::LogLines* access_log = nullptr;  // of those; null: none
  };

  // Binds and serves. Everything is borrowed. The failure names the option or the address.
  static Result<std::unique_ptr<Listeners>> Open(const ServerConfig& config, Handlers handlers,
                                                 BlockPool& pool, const Clock& clock);
  ~Listeners();

  // Counters of all but the metrics listener.
  const telemetry::MetricSource& metrics() const;
  // "Started ... at ADDRESS:PORT" for each.
  void LogStarted() const;
  // Takes no more connections but for metrics, and lets the open ones finish; true when none is
  // left within `timeout`.
  bool Drain(Nanos timeout);
  void StopMetrics();
  // Reads the certificates anew, whether their files have changed or not. Any thread.
  void ReloadCertificates();

  std::uint16_t http_port() const;
  std::uint16_t grpc_port() const;
  std::uint16_t metrics_port() const;

 private:
  class Impl;
  explicit Listeners(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_LISTENERS_H_
