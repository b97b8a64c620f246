#include "frontend/header_forwarder.h"
#include "server/option_rows.h"

namespace headrace::server {
namespace {

Option ForwardPattern(std::string_view name, std::string_view group,
                      std::string ServerConfig::*field, std::string_view help) {
  Option option = Text(name, group, field, "REGEX", help);
  option.set = [field](ServerConfig& config, std::string_view text) {
    HEADRACE_RETURN_IF_ERROR(frontend::HeaderForwarder::Create(text).status());
    config.*field = std::string(text);
    return OkStatus();
  };
  return option;
}

}  // namespace

void AppendServiceOptions(std::vector<Option>& options) {
  options.push_back(ForwardPattern(
      "http-header-forward-pattern", "HTTP", &ServerConfig::http_header_forward_pattern,
      "Headers whose names match go to backends as request parameters; empty: none."));
  options.push_back(ForwardPattern(
      "grpc-header-forward-pattern", "gRPC", &ServerConfig::grpc_header_forward_pattern,
      "Metadata whose names match go to backends as request parameters; empty: none."));
  options.push_back(Bool("grpc-reflection", "gRPC", &ServerConfig::grpc_reflection,
                         "Let tools such as grpcurl ask for the services and messages."));
  options.push_back(Number("grpc-stream-requests-max", "gRPC",
                           &ServerConfig::grpc_stream_request_count_max, "COUNT", {1, 1'000'000},
                           "Requests of one stream that are in flight; more are not read."));
  options.push_back(Number("grpc-stream-unsent-bytes-max", "gRPC",
                           &ServerConfig::grpc_stream_unsent_byte_size_max, "BYTES",
                           {64 * 1024, std::uint64_t{1} << 40},
                           "Responses of decoupled models on one stream that the client does not "
                           "take; beyond it the request ends with an error."));
}

}  // namespace headrace::server
