#include "bench/trace_setting.h"

#include <fmt/format.h>

#include <string>

#include "bench/bench_target.h"
#include "load/http_client.h"
#include "protocol/json_writer.h"

namespace headrace::bench {

Status ApplyTraceSettings(const BenchOptions& options) {
  if (!options.trace.any()) {
    return OkStatus();
  }
  const load::TargetSpec& target = options.target;
  load::HttpClientSpec spec;
  if (target.protocol == load::Protocol::kV2Grpc) {
    if (options.control.http_url.empty()) {
      return InvalidArgument(
          "--trace-level: give the server's HTTP side, too: --control-url http://HOST:PORT");
    }
    spec.origin = options.control.http_url;
    if (spec.origin.find("://") == std::string::npos) {
      spec.origin = "http://" + spec.origin;
    }
  } else {
    spec.origin = fmt::format("{}://{}", target.tls.enabled ? "https" : "http",
                              target.unix_socket.empty() ? AddressText(target) : "localhost");
    spec.unix_socket = target.unix_socket;
  }
  spec.headers = target.headers;
  spec.tls = target.tls;

  std::string body;
  protocol::JsonWriter json(body);
  json.BeginObject();
  if (!options.trace.level.empty()) {
    json.Key("trace_level").BeginArray();
    for (const std::string& level : options.trace.level) {
      json.String(level);
    }
    json.EndArray();
  }
  for (const auto& [name, value] : {std::pair("trace_rate", &options.trace.rate),
                                    std::pair("trace_count", &options.trace.count),
                                    std::pair("log_frequency", &options.trace.log_frequency)}) {
    if (*value) {
      json.Key(name).String(**value);
    }
  }
  json.EndObject();

  load::HttpClient client(std::move(spec));
  const std::string& model = options.workload.item.model;
  load::HttpCall call;
  call.method = "POST";
  call.path =
      model.empty() ? "/v2/trace/setting" : fmt::format("/v2/models/{}/trace/setting", model);
  call.body = body;
  call.content_type = "application/json";
  HEADRACE_ASSIGN_OR_RETURN(const load::HttpReply reply, client.Call(call));
  if (!reply.ok()) {
    return FailedPrecondition("--trace-level: the server answers {} {}: {}", client.Url(call.path),
                              reply.status, reply.body);
  }
  return OkStatus();
}

}  // namespace headrace::bench
