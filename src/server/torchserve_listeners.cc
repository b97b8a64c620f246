#include "server/torchserve_listeners.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "server/listener_limits.h"
#include "torchserve/apis.h"

namespace headrace::server {
namespace {

Result<std::shared_ptr<net::TlsContext>> MakeTls(const TorchServeConfig& config, bool grpc) {
  net::TlsOptions options;
  if (grpc) {
    options.protocols = {"h2"};
  }
  if (!config.certificate_file.empty() || !config.private_key_file.empty()) {
    options.certificate_file = config.certificate_file;
    options.key_file = config.private_key_file;
  } else if (!config.keystore.empty() && !grpc) {
    if (!EqualsIgnoringCase(config.keystore_type, "PKCS12")) {
      return InvalidArgument(
          "keystore_type={} cannot be read; keytool -importkeystore -deststoretype PKCS12 makes a "
          "keystore that can",
          config.keystore_type);
    }
    options.keystore_file = config.keystore;
    options.keystore_password = config.keystore_pass;
  } else {
    return InvalidArgument(
        "{} needs certificate_file and private_key_file{}; `openssl req -x509 -newkey rsa:2048 "
        "-nodes -keyout key.pem -out certificate.pem -subj /CN=localhost` makes a pair for tests",
        grpc ? "enable_grpc_ssl" : "an https address", grpc ? "" : ", or keystore");
  }
  auto context = net::TlsContext::Create(std::move(options));
  if (!context.ok()) {
    return context.status().WithPrefix(config.certificate_file.empty() &&
                                               config.private_key_file.empty()
                                           ? "keystore, keystore_pass: "
                                           : "certificate_file, private_key_file: ");
  }
  return context;
}

}  // namespace

std::string_view TorchServePlace::name() const {
  return inference ? "Inference API" : management ? "Management API" : "Metrics API";
}

std::vector<TorchServePlace> TorchServePlaces(const TorchServeConfig& config) {
  std::vector<TorchServePlace> places;
  const auto place_at = [&](const TorchServeAddress& address) -> TorchServePlace& {
    for (TorchServePlace& place : places) {
      if (place.address.SameAs(address)) {
        return place;
      }
    }
    return places.emplace_back(TorchServePlace{.address = address});
  };
  place_at(config.inference_address).inference = true;
  place_at(config.management_address).management = true;
  if (config.enable_metrics_api) {
    place_at(config.metrics_address).metrics = true;
    for (TorchServePlace& place : places) {
      place.metrics |= place.inference && place.management;
    }
  }
  return places;
}

Status CheckTorchServeExposure(const ServerConfig& config, std::vector<std::string>& warnings) {
  const TorchServeConfig& torchserve = config.torchserve;
  const bool allowed = config.insecure_allow_remote || torchserve.insecure_allow_remote;
  const bool tokens = !torchserve.disable_token_authorization;
  const auto check = [&](std::string_view key, std::string_view address, bool loopback,
                         bool protected_by_tokens, bool can_register) {
    if (loopback || (tokens && protected_by_tokens)) {
      return OkStatus();
    }
    if (!allowed && (!torchserve.program || can_register)) {
      return InvalidArgument(
          "{}={} can be reached by other machines, and without tokens anybody there could {}; use "
          "a loopback address, leave tokens on{}, or confirm with insecure_allow_remote=true",
          key, address, can_register ? "register models, which is to run code here" : "use it",
          can_register ? " or the model API off" : "");
    }
    warnings.push_back(
        fmt::format("{}={} can be reached by other machines, and nothing on it asks for a token",
                    key, address));
    return OkStatus();
  };
  const bool model_api = torchserve.enable_model_api;
  HEADRACE_RETURN_IF_ERROR(check("management_address", torchserve.management_address.text,
                                 torchserve.management_address.loopback(), true, model_api));
  HEADRACE_RETURN_IF_ERROR(check("grpc_management_address", torchserve.grpc_management_address,
                                 IsLoopback(torchserve.grpc_management_address), true, model_api));
  HEADRACE_RETURN_IF_ERROR(check("inference_address", torchserve.inference_address.text,
                                 torchserve.inference_address.loopback(), true, false));
  HEADRACE_RETURN_IF_ERROR(check("grpc_inference_address", torchserve.grpc_inference_address,
                                 IsLoopback(torchserve.grpc_inference_address), true, false));
  return torchserve.enable_metrics_api ? check("metrics_address", torchserve.metrics_address.text,
                                               torchserve.metrics_address.loopback(), false, false)
                                       : OkStatus();
}

Result<std::unique_ptr<TorchServeListeners>> TorchServeListeners::Create(const ServerConfig& config,
                                                                         torchserve::Apis& apis,
                                                                         torchserve::LogLines* log,
                                                                         const Clock& clock) {
  std::vector<std::string> warnings;
  HEADRACE_RETURN_IF_ERROR(CheckTorchServeExposure(config, warnings));
  for (const std::string& warning : warnings) {
    HEADRACE_LOG_WARNING("{}", warning);
  }
  std::unique_ptr<TorchServeListeners> listeners(new TorchServeListeners(config, apis));
  if (log != nullptr) {
    listeners->access_log_ = std::make_unique<torchserve::AccessLog>(*log, clock);
  }
  bool tls = false;
  for (const TorchServePlace& place : TorchServePlaces(config.torchserve)) {
    tls |= place.address.tls;
  }
  if (tls) {
    HEADRACE_ASSIGN_OR_RETURN(listeners->tls_, MakeTls(config.torchserve, false));
  }
  if (config.torchserve.enable_grpc_ssl) {
    HEADRACE_ASSIGN_OR_RETURN(listeners->grpc_tls_, MakeTls(config.torchserve, true));
  }
  return listeners;
}

TorchServeListeners::~TorchServeListeners() {
  for (const std::string& socket : sockets_) {
    ::unlink(socket.c_str());
  }
}

Status TorchServeListeners::Open(net::HttpServer& services, net::HttpServer& metrics) {
  for (const TorchServePlace& place : TorchServePlaces(config_.torchserve)) {
    const bool metrics_alone = place.metrics && !place.inference && !place.management;
    HEADRACE_RETURN_IF_ERROR(OpenPlace(place, metrics_alone ? metrics : services));
  }
  return OpenGrpc(services);
}

void TorchServeListeners::LogStarted() const {
  for (const std::string& line : started_) {
    HEADRACE_LOG_INFO("{}", line);
  }
}

net::ListenerOptions TorchServeListeners::Options(std::string name, std::string host,
                                                  std::uint16_t port, bool tls) const {
  net::ListenerOptions options;
  options.name = std::move(name);
  options.address = std::move(host);
  options.port = port;
  options.limits = HttpLimitsOf(config_);
  options.http2 = Http2LimitsOf(config_);
  options.grpc.message_byte_size_max = config_.torchserve.max_request_size;
  options.tls = tls ? tls_ : nullptr;
  options.plain_text_refusal = {
      .status = 403,
      .json = "{\n  \"status\": \"This TorchServe instance only accepts HTTPS requests\"\n}\n"};
  return options;
}

Status TorchServeListeners::OpenPlace(const TorchServePlace& place, net::HttpServer& server) {
  const TorchServeAddress& address = place.address;
  const std::string name = place.inference    ? "torchserve_inference"
                           : place.management ? "torchserve_management"
                                              : "torchserve_metrics";
  const std::string host = address.socket.empty() ? address.host : address.Shown(0);
  net::HttpHandler* handler = &apis_.Http(place.inference, place.management, place.metrics);
  if (access_log_ != nullptr) {
    handlers_.push_back(std::make_unique<torchserve::ObservedHandler>(*handler, *access_log_));
    handler = handlers_.back().get();
  }
  HEADRACE_ASSIGN_OR_RETURN(
      const std::uint16_t port,
      server.AddListener(Options(name, host, address.port, address.tls), *handler));
  if (!address.socket.empty()) {
    sockets_.push_back(address.socket);
  }
  for (const auto& [is, what] :
       {std::pair(place.inference, "Inference"), std::pair(place.management, "Management"),
        std::pair(place.metrics, "Metrics")}) {
    if (is) {
      started_.push_back(fmt::format("{} API bind to: {}", what, address.Shown(port)));
    }
  }
  return OkStatus();
}

Status TorchServeListeners::OpenGrpc(net::HttpServer& services) {
  const TorchServeConfig& config = config_.torchserve;
  const auto open = [&](std::string_view what, const std::string& host, std::uint64_t wanted,
                        std::uint64_t age_ms, std::uint64_t grace_ms, net::GrpcHandler& handler) {
    net::ListenerOptions options = Options(fmt::format("torchserve_grpc_{}", what), host,
                                           static_cast<std::uint16_t>(wanted), false);
    options.http2.connection_age_max = MillisOrNever(age_ms);
    options.http2.connection_age_grace = MillisOrNever(grace_ms);
    options.tls = grpc_tls_;
    net::GrpcHandler* observed = &handler;
    if (access_log_ != nullptr) {
      grpc_handlers_.push_back(
          std::make_unique<torchserve::ObservedGrpcHandler>(handler, *access_log_));
      observed = grpc_handlers_.back().get();
    }
    auto port = services.AddGrpcListener(std::move(options), *observed);
    if (port.ok()) {
      started_.push_back(fmt::format("gRPC {} API bind to: {}:{}", what, host, *port));
    }
    return port.status();
  };
  HEADRACE_RETURN_IF_ERROR(
      open("inference", config.grpc_inference_address, config.grpc_inference_port,
           config.grpc_inference_max_connection_age_ms,
           config.grpc_inference_max_connection_age_grace_ms, apis_.grpc_inference()));
  return open("management", config.grpc_management_address, config.grpc_management_port,
              config.grpc_management_max_connection_age_ms,
              config.grpc_management_max_connection_age_grace_ms, apis_.grpc_management());
}

}  // namespace headrace::server
