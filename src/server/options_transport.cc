#include <fmt/format.h>

#include "server/option_rows.h"
#include "server/option_text.h"

namespace headrace::server {
namespace {

constexpr Range kMillis = {1, 86'400'000};
// gRPC's "for ever" is INT32_MAX; 0 means the same here.
constexpr Range kMillisOrNever = {0, INT32_MAX};

Option TlsBool(std::string_view name, std::string_view group, TlsFiles ServerConfig::*files,
               bool TlsFiles::*field, std::string_view help) {
  Option option{.name = name, .alias = {}, .group = group, .value = "true|false", .help = help};
  option.set = [files, field](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.*files.*field, ParseBool(text));
    return OkStatus();
  };
  option.get = [files, field](const ServerConfig& config) {
    return config.*files.*field ? "true" : "false";
  };
  return option;
}

Option TlsPath(std::string_view name, std::string_view group, TlsFiles ServerConfig::*files,
               std::string TlsFiles::*field, std::string_view help) {
  Option option{.name = name, .alias = {}, .group = group, .value = "PATH", .help = help};
  option.set = [files, field](ServerConfig& config, std::string_view text) {
    config.*files.*field = std::string(text);
    return OkStatus();
  };
  option.get = [files, field](const ServerConfig& config) { return config.*files.*field; };
  return option;
}

void AppendGrpcOptions(std::vector<Option>& options) {
  options.push_back(
      Bool("allow-grpc", "gRPC", &ServerConfig::allow_grpc,
           "Serve the v2 protocol over gRPC, at the gRPC port and at the HTTP port."));
  options.push_back(Text("grpc-address", "gRPC", &ServerConfig::grpc_address, "ADDRESS[,ADDRESS]",
                         "Empty: the HTTP address."));
  options.push_back(Number("grpc-port", "gRPC", &ServerConfig::grpc_port, "PORT", {0, 65535},
                           "0: any free port. The HTTP port's number: that port serves both."));
  options.push_back(Bool("reuse-grpc-port", "gRPC", &ServerConfig::reuse_grpc_port,
                         "Share the port with other processes (SO_REUSEPORT)."));
  options.push_back(Number("grpc-max-message-size", "gRPC",
                           &ServerConfig::grpc_message_byte_size_max, "BYTES", {1, UINT32_MAX},
                           "Largest message of a client, also decompressed."));
  options.push_back(Number("grpc-keepalive-time", "gRPC", &ServerConfig::grpc_keepalive_time_ms,
                           "MS", {1, INT32_MAX}, "Silence of a client after which it is pinged."));
  options.push_back(Number("grpc-keepalive-timeout", "gRPC",
                           &ServerConfig::grpc_keepalive_timeout_ms, "MS", {1, INT32_MAX},
                           "Time to answer that ping; then the connection is closed."));
  options.push_back(Bool("grpc-keepalive-permit-without-calls", "gRPC",
                         &ServerConfig::grpc_keepalive_permit_without_calls,
                         "Ping, and let clients ping, while no call is open."));
  options.push_back(Number("grpc-http2-max-pings-without-data", "gRPC",
                           &ServerConfig::grpc_pings_without_data_max, "COUNT", {0, INT32_MAX},
                           "Pings in a row without data in between; 0: no limit."));
  options.push_back(Number("grpc-http2-min-recv-ping-interval-without-data", "gRPC",
                           &ServerConfig::grpc_received_ping_interval_min_ms, "MS", {0, INT32_MAX},
                           "A client that pings more often without data in between is warned."));
  options.push_back(Number("grpc-http2-max-ping-strikes", "gRPC",
                           &ServerConfig::grpc_ping_strikes_max, "COUNT", {0, INT32_MAX},
                           "Such pings that are borne before the connection ends; 0: any number."));
  options.push_back(Number("grpc-max-connection-age", "gRPC",
                           &ServerConfig::grpc_connection_age_max_ms, "MS", kMillisOrNever,
                           "Age at which a connection ends, give or take a tenth; 0: none."));
  options.push_back(Number(
      "grpc-max-connection-age-grace", "gRPC", &ServerConfig::grpc_connection_age_grace_ms, "MS",
      kMillisOrNever, "Time that its calls have to finish behind it; 0: as long as they take."));
}

void AppendHttp2Options(std::vector<Option>& options) {
  options.push_back(Number("http2-max-concurrent-streams", "HTTP/2",
                           &ServerConfig::http2_concurrent_streams_max, "COUNT", {1, 100'000},
                           "Requests at a time on one connection; more are refused."));
  options.push_back(Number("http2-max-header-list-size", "HTTP/2",
                           &ServerConfig::http2_header_list_byte_size_max, "BYTES", {1024, 1 << 20},
                           "Header fields or metadata of one request, decoded."));
  options.push_back(Number(
      "http2-stream-window-size", "HTTP/2", &ServerConfig::http2_stream_window_byte_size, "BYTES",
      {65'535, INT32_MAX}, "What a client may send on one stream before it hears from us."));
  options.push_back(Number("http2-connection-window-size", "HTTP/2",
                           &ServerConfig::http2_connection_window_byte_size, "BYTES",
                           {65'535, INT32_MAX}, "The same for a connection."));
  options.push_back(Number("http2-idle-timeout-ms", "HTTP/2", &ServerConfig::http2_idle_timeout_ms,
                           "MS", kMillis, "How long a connection may be without a request."));
}

void AppendTlsOptions(std::vector<Option>& options) {
  struct Names {
    TlsFiles ServerConfig::*files;
    std::string_view group, use, mutual, certificate, key, root;
  };
  static constexpr Names kServices[] = {
      {&ServerConfig::grpc_tls, "gRPC", "grpc-use-ssl", "grpc-use-ssl-mutual", "grpc-server-cert",
       "grpc-server-key", "grpc-root-cert"},
      {&ServerConfig::http_tls, "HTTP", "http-use-ssl", "http-use-ssl-mutual", "http-server-cert",
       "http-server-key", "http-root-cert"}};
  for (const Names& names : kServices) {
    options.push_back(TlsBool(names.use, names.group, names.files, &TlsFiles::use,
                              "Speak TLS at this port, with the certificate named below."));
    options.push_back(TlsBool(names.mutual, names.group, names.files, &TlsFiles::mutual,
                              "Speak TLS and refuse clients without a certificate that the root "
                              "certificate vouches for."));
    options.push_back(TlsPath(names.certificate, names.group, names.files, &TlsFiles::certificate,
                              "The server's certificate and its chain, PEM. Taken up again when "
                              "it changes, and on SIGHUP."));
    options.push_back(TlsPath(names.key, names.group, names.files, &TlsFiles::key,
                              "The certificate's private key, PEM."));
    options.push_back(TlsPath(names.root, names.group, names.files, &TlsFiles::root,
                              "Who may sign clients' certificates, PEM."));
  }
  options.push_back(Bool("metrics-use-ssl", "Metrics", &ServerConfig::metrics_use_ssl,
                         "Speak TLS at the metrics port as at the HTTP port."));
  options.push_back(Number("tls-reload-ms", "HTTP", &ServerConfig::tls_reload_ms, "MS",
                           {0, 86'400'000},
                           "How often certificate files are looked at; 0: only on SIGHUP."));
}

}  // namespace

void AppendTransportOptions(std::vector<Option>& options) {
  AppendGrpcOptions(options);
  AppendHttp2Options(options);
  AppendTlsOptions(options);
}

}  // namespace headrace::server
