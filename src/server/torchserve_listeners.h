// Where TorchServe's services listen: three for HTTP, two for gRPC (contracts, TorchServe 1.1, 1.12
// and 4).
#ifndef HEADRACE_SERVER_TORCHSERVE_LISTENERS_H_
#define HEADRACE_SERVER_TORCHSERVE_LISTENERS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/http_server.h"
#include "net/listener_options.h"
#include "net/tls_context.h"
#include "server/server_config.h"
#include "torchserve/access_log.h"

namespace headrace::torchserve {
class Apis;
}

namespace headrace::server {

// Which addresses are which services. Pure.
struct TorchServePlace {
  TorchServeAddress address;
  bool inference = false, management = false, metrics = false;

  // "Inference API", ...: the first of them.
  std::string_view name() const;
};
// Equal addresses are one place, which is all that they would be. One that is inference and
// management serves the metrics too, wherever they are besides.
std::vector<TorchServePlace> TorchServePlaces(const TorchServeConfig& config);

// Refuses what other machines reach and nothing protects (reliability D1). The program `torchserve`
// takes an address that its user has written as what he wants, except for one that lets any caller
// register models; `warnings` says what is open. INVALID_ARGUMENT names the key and the way out.
Status CheckTorchServeExposure(const ServerConfig& config, std::vector<std::string>& warnings);

// Methods are called from the thread that made it.
class TorchServeListeners {
 public:
  // Reads the certificates. Everything is borrowed; `log` null: no access log.
  static Result<std::unique_ptr<TorchServeListeners>> Create(const ServerConfig& config,
                                                             torchserve::Apis& apis,
                                                             torchserve::LogLines* log,
                                                             const Clock& clock);

  // Removes the files of Unix sockets.
  ~TorchServeListeners();

  // Binds: what only tells metrics at `metrics`, everything else at `services`.
  Status Open(net::HttpServer& services, net::HttpServer& metrics);
  // "Inference API bind to: http://127.0.0.1:8080", as TorchServe says it.
  void LogStarted() const;
  // Null: plain text everywhere.
  std::shared_ptr<net::TlsContext> tls() const { return tls_; }

 private:
  TorchServeListeners(const ServerConfig& config, torchserve::Apis& apis)
      : config_(config), apis_(apis) {}

  net::ListenerOptions Options(std::string name, std::string host, std::uint16_t port,
                               bool tls) const;
  Status OpenPlace(const TorchServePlace& place, net::HttpServer& server);
  Status OpenGrpc(net::HttpServer& services);

  const ServerConfig& config_;
  torchserve::Apis& apis_;
  std::unique_ptr<torchserve::AccessLog> access_log_;
  std::vector<std::unique_ptr<torchserve::ObservedHandler>> handlers_;
  std::vector<std::unique_ptr<torchserve::ObservedGrpcHandler>> grpc_handlers_;
  std::shared_ptr<net::TlsContext> tls_, grpc_tls_;
  std::vector<std::string> sockets_;  // files
  std::vector<std::string> started_;  // what LogStarted says
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TORCHSERVE_LISTENERS_H_
