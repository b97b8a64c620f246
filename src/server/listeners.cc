#include "server/listeners.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "net/http_server.h"
#include "net/tls_context.h"
#include "server/certificate_watcher.h"
#include "server/listen_address.h"
#include "server/listener_limits.h"
#include "server/torchserve_listeners.h"

namespace headrace::server {
namespace {

// Null: this service is not to speak TLS.
Result<std::shared_ptr<net::TlsContext>> MakeTls(const TlsFiles& files, bool grpc_alone,
                                                 std::string_view prefix) {
  if (!files.use && !files.mutual) {
    return std::shared_ptr<net::TlsContext>();
  }
  net::TlsOptions options;
  options.certificate_file = files.certificate;
  options.key_file = files.key;
  options.client_root_file = files.root;
  options.client_certificate = files.mutual;
  if (grpc_alone) {
    options.protocols = {"h2"};
  }
  auto context = net::TlsContext::Create(std::move(options));
  if (!context.ok()) {
    return context.status().WithPrefix(
        fmt::format("--{0}-server-cert, --{0}-server-key, --{0}-root-cert: ", prefix));
  }
  return context;
}

// The HTTP servers' counters as a metric source.
class HttpMetrics final : public telemetry::MetricSource {
 public:
  explicit HttpMetrics(const std::unique_ptr<net::HttpServer>& server) : server_(server) {}
  void Collect(telemetry::PrometheusWriter& writer) const override {
    if (server_ != nullptr) {
      server_->Collect(writer);
    }
  }

 private:
  const std::unique_ptr<net::HttpServer>& server_;
};

}  // namespace

class Listeners::Impl {
 public:
  Impl(const ServerConfig& config, Handlers handlers, BlockPool& pool, const Clock& clock)
      : config_(config), handlers_(handlers), pool_(pool), clock_(clock) {}

  Status Open() {
    HEADRACE_ASSIGN_OR_RETURN(http_.tls, MakeTls(config_.http_tls, false, "http"));
    HEADRACE_ASSIGN_OR_RETURN(grpc_.tls, MakeTls(config_.grpc_tls, true, "grpc"));
    if (config_.metrics_use_ssl) {
      if (http_.tls == nullptr) {
        return InvalidArgument("--metrics-use-ssl needs --http-use-ssl and its certificate");
      }
      metrics_.tls = http_.tls;
    }
    HEADRACE_RETURN_IF_ERROR(SetAddresses(http_, config_.http_address, "http-address"));
    HEADRACE_RETURN_IF_ERROR(SetAddresses(grpc_, OrHttp(config_.grpc_address), "grpc-address"));
    HEADRACE_RETURN_IF_ERROR(
        SetAddresses(metrics_, OrHttp(config_.metrics_address), "metrics-address"));
    http_.port = static_cast<std::uint16_t>(config_.http_port);
    grpc_.port = static_cast<std::uint16_t>(config_.grpc_port);
    metrics_.port = static_cast<std::uint16_t>(config_.metrics_port);
    grpc_.reuse_port = config_.reuse_grpc_port;
    http_.reuse_port = metrics_.reuse_port = config_.reuse_http_port;

    if (handlers_.torchserve != nullptr) {
      HEADRACE_ASSIGN_OR_RETURN(torchserve_,
                                TorchServeListeners::Create(config_, *handlers_.torchserve,
                                                            handlers_.access_log, clock_));
    }
    if (config_.allow_http || config_.allow_grpc || torchserve_ != nullptr) {
      HEADRACE_ASSIGN_OR_RETURN(
          services_, net::HttpServer::Create({.loop_count = LoopCount(config_),
                                              .pin_threads = config_.http_thread_pinning},
                                             pool_, clock_));
    }
    if (config_.allow_http) {
      net::GrpcHandler* grpc = config_.allow_grpc ? &handlers_.grpc : nullptr;
      HEADRACE_RETURN_IF_ERROR(Bind(http_, [&](const net::ListenerOptions& options) {
        return services_->AddListener(options, handlers_.v2, grpc);
      }));
    }
    if (config_.allow_grpc) {
      if (config_.allow_http && config_.grpc_port != 0 && config_.grpc_port == config_.http_port) {
        grpc_.port = http_.port;
      } else {
        HEADRACE_RETURN_IF_ERROR(Bind(grpc_, [&](const net::ListenerOptions& options) {
          return services_->AddGrpcListener(options, handlers_.grpc);
        }));
      }
    }
    if (config_.allow_metrics || torchserve_ != nullptr) {
      HEADRACE_ASSIGN_OR_RETURN(metrics_server_,
                                net::HttpServer::Create({.loop_count = 1}, pool_, clock_));
    }
    if (torchserve_ != nullptr) {
      HEADRACE_RETURN_IF_ERROR(torchserve_->Open(*services_, *metrics_server_));
    }
    if (config_.allow_metrics) {
      HEADRACE_RETURN_IF_ERROR(Bind(metrics_, [&](const net::ListenerOptions& options) {
        return metrics_server_->AddListener(options, handlers_.metrics);
      }));
    }
    std::vector<std::shared_ptr<net::TlsContext>> contexts;
    for (const auto& context :
         {http_.tls, grpc_.tls, torchserve_ == nullptr ? nullptr : torchserve_->tls()}) {
      if (context != nullptr) {
        contexts.push_back(context);
      }
    }
    return certificates_.Start(std::move(contexts), Millis(config_.tls_reload_ms));
  }

  void LogStarted() const {
    if (config_.allow_grpc) {
      LogOne("GRPCInferenceService", grpc_);
    }
    if (config_.allow_http) {
      LogOne("HTTPService", http_);
    }
    if (config_.allow_metrics) {
      LogOne("Metrics Service", metrics_);
    }
    if (torchserve_ != nullptr) {
      torchserve_->LogStarted();
    }
  }

  bool Drain(Nanos timeout) {
    if (services_ == nullptr) {
      return true;
    }
    services_->StopAccepting();
    return services_->DrainConnections(timeout);
  }

  struct Service {
    std::string name;
    std::vector<ListenAddress> addresses;
    std::uint16_t port = 0;
    bool reuse_port = false;
    std::shared_ptr<net::TlsContext> tls = nullptr;
  };

  const ServerConfig& config_;
  const Handlers handlers_;
  BlockPool& pool_;
  const Clock& clock_;
  Service http_{.name = "http", .addresses = {}};
  Service grpc_{.name = "grpc", .addresses = {}};
  Service metrics_{.name = "metrics", .addresses = {}};
  std::unique_ptr<TorchServeListeners> torchserve_;  // null: there are none
  std::unique_ptr<net::HttpServer> services_;
  std::unique_ptr<net::HttpServer> metrics_server_;
  HttpMetrics counters_{services_};
  CertificateWatcher certificates_;

 private:
  const std::string& OrHttp(const std::string& address) const {
    return address.empty() ? config_.http_address : address;
  }

  Status SetAddresses(Service& service, const std::string& text, std::string_view option) const {
    auto addresses = ParseListenAddresses(text);
    if (!addresses.ok()) {
      return addresses.status().WithPrefix(fmt::format("--{}: ", option));
    }
    service.addresses = *std::move(addresses);
    // Who has to show a certificate is no stranger.
    const bool mutual = service.tls != nullptr && service.tls->options().client_certificate;
    return CheckExposure(service.addresses, config_.insecure_allow_remote || mutual, option);
  }

  // Binds every address to one port: the first one's, when any free port is asked for. A machine
  // without IPv6 goes on without it.
  template <typename Add>
  Status Bind(Service& service, Add add) {
    bool bound = false;
    for (const ListenAddress& address : service.addresses) {
      net::ListenerOptions options;
      options.name = service.name;
      options.address = address.text;
      options.port = service.port;
      options.reuse_port = service.reuse_port;
      options.limits = HttpLimitsOf(config_);
      options.http2 = Http2LimitsOf(config_);
      options.grpc.message_byte_size_max = config_.grpc_message_byte_size_max;
      options.tls = service.tls;
      const Result<std::uint16_t> result = add(options);
      if (!result.ok()) {
        if (bound && address.ipv6) {
          HEADRACE_LOG_WARNING("{}", result.status().message());
          continue;
        }
        return result.status();
      }
      bound = true;
      service.port = *result;
    }
    return OkStatus();
  }

  static void LogOne(std::string_view what, const Service& service) {
    HEADRACE_LOG_INFO("Started {} at {}", what,
                      HostAndPort(service.addresses.front(), service.port));
  }
};

Result<std::unique_ptr<Listeners>> Listeners::Open(const ServerConfig& config, Handlers handlers,
                                                   BlockPool& pool, const Clock& clock) {
  auto impl = std::make_unique<Impl>(config, handlers, pool, clock);
  HEADRACE_RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<Listeners>(new Listeners(std::move(impl)));
}

Listeners::Listeners(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listeners::~Listeners() = default;

const telemetry::MetricSource& Listeners::metrics() const { return impl_->counters_; }
void Listeners::LogStarted() const { impl_->LogStarted(); }
bool Listeners::Drain(Nanos timeout) { return impl_->Drain(timeout); }
void Listeners::StopMetrics() {
  if (impl_->metrics_server_ != nullptr) {
    impl_->metrics_server_->StopAccepting();
  }
}
void Listeners::ReloadCertificates() { impl_->certificates_.ReloadNow(); }
std::uint16_t Listeners::http_port() const { return impl_->http_.port; }
std::uint16_t Listeners::grpc_port() const { return impl_->grpc_.port; }
std::uint16_t Listeners::metrics_port() const { return impl_->metrics_.port; }

}  // namespace headrace::server
