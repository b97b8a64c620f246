#include "bench/bench_target.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "bench/bench_values.h"
#include "load/socket_address.h"

namespace headrace::bench {
namespace {

using load::Protocol;

Result<Protocol> ParseProtocol(const BenchFlags& flags) {
  constexpr std::pair<std::string_view, Protocol> kNames[] = {
      {"http", Protocol::kV2Http},
      {"grpc", Protocol::kV2Grpc},
      {"torchserve", Protocol::kTorchServe},
      {"v1", Protocol::kV1},
      {"invocations", Protocol::kInvocations},
      {"raw", Protocol::kRawHttp},
      {"in-process", Protocol::kInProcess}};
  std::string name = flags.protocol.value_or("http");
  for (char& c : name) {  // perf_analyzer takes gRPC and HTTP, too
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (flags.service_kind) {
    const std::string& kind = *flags.service_kind;
    if (kind == "torchserve") {
      name = "torchserve";
    } else if (kind == "triton_c_api") {
      name = "in-process";
    } else if (kind == "tfserving") {
      return InvalidArgument(
          "--service-kind tfserving: its gRPC service is not spoken; use -i v1 with its REST port");
    } else if (kind == "openai") {
      return InvalidArgument(
          "--service-kind openai: there is no OpenAI client here; use -i raw --path "
          "/v1/chat/completions --input-data FILE");
    } else if (kind == "dynamic_grpc") {
      return InvalidArgument(
          "--service-kind dynamic_grpc: other gRPC services than inference are not called");
    } else if (kind != "triton") {
      return InvalidArgument("--service-kind: '{}' is none of triton, torchserve, triton_c_api",
                             kind);
    }
  }
  for (const auto& [known, protocol] : kNames) {
    if (known == name) {
      return protocol;
    }
  }
  return InvalidArgument(
      "--protocol: '{}' is none of http, grpc, torchserve, v1, invocations, raw, in-process", name);
}

// HOST:PORT, http(s)://HOST:PORT[/path], unix:/path, [::1]:8000.
Status ParseUrl(std::string_view url, load::TargetSpec& target) {
  const auto wrong = [url] {
    return InvalidArgument(
        "--url: '{}' is no address: write it as HOST:PORT, http(s)://HOST:PORT or unix:/path", url);
  };
  std::string_view rest = url;
  if (rest.starts_with("unix:")) {
    rest.remove_prefix(5);
    while (rest.starts_with("//")) {
      rest.remove_prefix(1);
    }
    target.unix_socket = rest;
    return rest.empty() ? wrong() : OkStatus();
  }
  for (const auto& [scheme, tls] : {std::pair("http://", false), std::pair("https://", true),
                                    std::pair("grpc://", false), std::pair("grpcs://", true)}) {
    if (rest.starts_with(scheme)) {
      rest.remove_prefix(std::string_view(scheme).size());
      target.tls.enabled = tls;
      target.port = tls ? 443 : target.port;
      break;
    }
  }
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view path = rest.substr(slash);
    rest = rest.substr(0, slash);
    if (target.protocol == Protocol::kRawHttp && target.path.empty()) {
      target.path = path;
    } else if (path != "/") {
      return InvalidArgument("--url: the path '{}' is not taken here; with -i raw it is", path);
    }
  }
  std::string_view port;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) {
      return wrong();
    }
    target.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    const std::size_t colon = rest.find(':');
    target.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (target.host.empty()) {
    return wrong();
  }
  if (!port.empty()) {
    const auto [end, error] =
        std::from_chars(port.data() + 1, port.data() + port.size(), target.port);
    if (port.front() != ':' || error != std::errc() || end != port.data() + port.size() ||
        target.port == 0) {
      return wrong();
    }
  }
  return OkStatus();
}

Result<bool> ParseFormat(const char* name, const Text& flag) {
  if (!flag || *flag == "binary") {
    return true;
  }
  if (*flag == "json") {
    return false;
  }
  return InvalidArgument("{}: '{}' is neither binary nor json", name, *flag);
}

Status ResolveTls(const BenchFlags& flags, load::TlsFiles& tls) {
  tls.enabled =
      tls.enabled || flags.tls ||
      (flags.grpc_use_ssl && (*flags.grpc_use_ssl == "true" || *flags.grpc_use_ssl == "1"));
  tls.ca_file = flags.ca_file.value_or("");
  tls.certificate_file = flags.certificate_file.value_or("");
  tls.key_file = flags.key_file.value_or("");
  tls.verify_peer = flags.verify_peer.value_or("1") != "0";
  tls.verify_host = flags.verify_host.value_or("2") != "0";
  for (const Text* type : {&flags.certificate_type, &flags.key_type}) {
    if (*type && **type != "PEM") {
      return InvalidArgument("certificates and keys are read as PEM, not as {}", **type);
    }
  }
  return OkStatus();
}

Status ResolveHttp(const BenchFlags& flags, load::TargetSpec& target) {
  for (const std::string& header : flags.headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0) {
      return InvalidArgument("--header: '{}' is no header: write it as NAME:VALUE", header);
    }
    const std::size_t value = header.find_first_not_of(' ', colon + 1);
    target.headers.emplace_back(header.substr(0, colon),
                                value == std::string::npos ? "" : header.substr(value));
  }
  HEADRACE_ASSIGN_OR_RETURN(target.binary_input,
                            ParseFormat("--input-tensor-format", flags.input_format));
  HEADRACE_ASSIGN_OR_RETURN(target.binary_output,
                            ParseFormat("--output-tensor-format", flags.output_format));
  target.request_ids = flags.request_ids;
  if (flags.connections_max) {
    HEADRACE_ASSIGN_OR_RETURN(const double count, ParseNumber(*flags.connections_max));
    constexpr double kMax = 1'000'000;
    if (count < 1 || count > kMax) {
      return InvalidArgument("--connections-max: must be from 1 to 1,000,000");
    }
    target.connections_max = static_cast<int>(count);
  }
  if (flags.grpc_connections) {
    HEADRACE_ASSIGN_OR_RETURN(const double count, ParseNumber(*flags.grpc_connections));
    constexpr double kMax = 10'000;
    if (count < 1 || count > kMax) {
      return InvalidArgument("--grpc-connections: must be from 1 to 10,000");
    }
    target.grpc_connections = static_cast<int>(count);
  }
  return OkStatus();
}

Status ResolveGrpc(const BenchFlags& flags, load::TargetSpec& target) {
  target.streaming = flags.streaming;
  if (target.streaming && target.protocol != Protocol::kV2Grpc &&
      target.protocol != Protocol::kInProcess) {
    return InvalidArgument("--streaming: only gRPC has streams of requests: add -i grpc");
  }
  const std::string compression = flags.compression.value_or("none");
  if (compression != "none" && compression != "gzip" && compression != "deflate") {
    return InvalidArgument("--grpc-compression-algorithm: '{}' is none of none, gzip, deflate",
                           compression);
  }
  target.grpc_compression = compression == "none" ? "" : compression;
  const std::string memory = flags.shared_memory.value_or("none");
  if (memory == "cuda") {
    return InvalidArgument(
        "--shared-memory cuda: the load generator allocates no GPU memory; use system");
  }
  if (memory != "none" && memory != "system") {
    return InvalidArgument("--shared-memory: '{}' is neither none nor system", memory);
  }
  target.shared_memory = memory == "system" ? load::TargetSpec::SharedMemory::kSystem
                                            : load::TargetSpec::SharedMemory::kNone;
  if (flags.output_shared_memory_size) {
    HEADRACE_ASSIGN_OR_RETURN(const double size, ParseNumber(*flags.output_shared_memory_size));
    constexpr double kMax = 1e12;
    if (size < 1 || size > kMax) {
      return InvalidArgument("--output-shared-memory-size: must be a number of bytes above 0");
    }
    target.output_shared_memory_byte_size = static_cast<std::size_t>(size);
  }
  return OkStatus();
}

std::uint16_t DefaultPort(Protocol protocol) {
  switch (protocol) {
    case Protocol::kV2Grpc:
      return 8001;
    case Protocol::kTorchServe:
    case Protocol::kInvocations:
      return 8080;
    default:
      return 8000;
  }
}

}  // namespace

Status ResolveTarget(const BenchFlags& flags, BenchOptions& options) {
  load::TargetSpec& target = options.target;
  HEADRACE_ASSIGN_OR_RETURN(target.protocol, ParseProtocol(flags));
  target.port = DefaultPort(target.protocol);
  target.path = flags.path.value_or("");
  if (flags.url) {
    HEADRACE_RETURN_IF_ERROR(ParseUrl(*flags.url, target));
  }
  HEADRACE_RETURN_IF_ERROR(ResolveTls(flags, target.tls));
  HEADRACE_RETURN_IF_ERROR(ResolveHttp(flags, target));
  HEADRACE_RETURN_IF_ERROR(ResolveGrpc(flags, target));
  for (const auto& [name, flag, field] :
       {std::tuple("--timeout", &flags.timeout, &target.request_timeout),
        std::tuple("--connect-timeout", &flags.connect_timeout, &target.connect_timeout)}) {
    if (*flag) {
      const Result<Nanos> time = ParseDuration(**flag);
      if (!time.ok() || *time <= 0) {
        return InvalidArgument("{}: '{}' is no duration: write it as 10s or 500ms", name, **flag);
      }
      *field = *time;
    }
  }
  target.model_repositories = flags.model_repositories;
  target.server_library = flags.server_library.value_or("");
  if (flags.triton_directory) {
    target.server_library = *flags.triton_directory + "/lib/libtritonserver.so";
  }
  if (target.protocol == Protocol::kInProcess && target.model_repositories.empty()) {
    return InvalidArgument("-i in-process: needs --model-repository DIR");
  }
  if (target.protocol == Protocol::kRawHttp && target.path.empty()) {
    return InvalidArgument("-i raw: needs the request target: --path PATH");
  }
  options.control.target = target;
  options.control.http_url = flags.control_url.value_or("");
  options.control.metrics_url = flags.metrics_url.value_or("");
  return OkStatus();
}

std::string AddressText(const load::TargetSpec& target) {
  if (target.protocol == Protocol::kInProcess) {
    return "in process";
  }
  return load::AddressText(target);
}

std::string_view ProtocolText(Protocol protocol) {
  switch (protocol) {
    case Protocol::kV2Http:
      return "v2 http";
    case Protocol::kV2Grpc:
      return "v2 grpc";
    case Protocol::kTorchServe:
      return "torchserve";
    case Protocol::kV1:
      return "v1";
    case Protocol::kInvocations:
      return "invocations";
    case Protocol::kRawHttp:
      return "raw http";
    case Protocol::kInProcess:
      return "in process";
  }
  return "unknown";
}

}  // namespace headrace::bench
