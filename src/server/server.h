// The composition root: makes the parts of a server, connects them, and ends them in order.
#ifndef HEADRACE_SERVER_SERVER_H_
#define HEADRACE_SERVER_SERVER_H_

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "plugin/server_control.h"
#include "server/server_config.h"

namespace headrace::torchserve {
class LogLines;
}

namespace headrace::server {

// One serving program. Start and Stop are called from one thread; the parts run on threads of their
// own.
class Server {
 public:
  // Binds the listeners. From here on the process answers: live, not ready.
  // The failure says which address or option is at fault. `log`: where TorchServe's lines of
  // requests and metrics go, which outlives the server; null: nowhere.
  static Result<std::unique_ptr<Server>> Create(const ServerConfig& config,
                                                torchserve::LogLines* log = nullptr);
  ~Server();

  // Loads the models (blocking) and logs the start-up tables. Fails when a repository cannot be
  // read, or when a model failed and exit_on_error is set.
  Status LoadModels();

  // Ends readiness, stops accepting, lets requests in flight finish, unloads the models; at most
  // `exit_timeout_s` in all. False when the time ran out first. The metrics listener stays until
  // the end.
  bool Stop();
  bool Stop(std::uint64_t exit_timeout_s);

  // The server as the C interface sees it; lives as long as the server.
  plugin::ServerControl& control();

  // Reads the certificates of TLS listeners anew, soon. Any thread.
  void ReloadCertificates();

  std::uint16_t http_port() const;
  std::uint16_t grpc_port() const;
  std::uint16_t metrics_port() const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_SERVER_H_
