#include "frontend/header_forwarder.h"
#include "server/grpc_compression_level.h"
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

// The answers' level, from none to high.
Option ResponseCompression() {
  Option option = Text("grpc-infer-response-compression-level", "gRPC",
                       &ServerConfig::grpc_response_compression, "none|low|medium|high",
                       "How much answers are compressed for clients that accept gzip or deflate.");
  option.set = [](ServerConfig& config, std::string_view text) {
    if (!GrpcCompressionLevelOf(text).has_value()) {
      return InvalidArgument("expected none, low, medium or high");
    }
    config.grpc_response_compression = std::string(text);
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
  options.push_back(ResponseCompression());
  options.push_back(Number("http-stream-unsent-bytes-max", "HTTP",
                           &ServerConfig::http_stream_unsent_byte_size_max, "BYTES",
                           {64 * 1024, std::uint64_t{1} << 40},
                           "Events of one generate_stream request that the client does not take; "
                           "beyond it the request ends with an error."));
}

}  // namespace headrace::server
