#include "server/options.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <vector>

#include "server/option_rows.h"
#include "server/option_text.h"

namespace headrace::server {
namespace {

Option MinSupportedComputeCapability() {
  Option option{.name = "min-supported-compute-capability",
                .alias = {},
                .group = "GPU",
                .value = "MAJOR.MINOR",
                .help = "GPUs below it are not used."};
  option.set = [](ServerConfig& config, std::string_view text) {
    double value = 0;
    const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || stop != text.data() + text.size() ||
        !(value >= 0 && value < 1000)) {
      return InvalidArgument("expected a number such as 7.5, got '{}'", text);
    }
    config.compute_capability_min = value;
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return fmt::format("{:.1f}", config.compute_capability_min);
  };
  return option;
}

// "<gpu>:<bytes>", as Triton takes it.
Option CudaMemoryPoolByteSize() {
  Option option{
      .name = "cuda-memory-pool-byte-size",
      .alias = {},
      .group = "GPU",
      .value = "GPU:BYTES",
      .help =
          "Memory of one GPU that backends may ask the server for. Repeatable; a GPU that "
          "is not named has 64 MiB.",
      .kind = OptionKind::kList};
  option.set = [](ServerConfig& config, std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
      return InvalidArgument("expected <gpu>:<bytes>, got '{}'", text);
    }
    HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t gpu, ParseNumber(text.substr(0, colon), 0, 1023));
    HEADRACE_ASSIGN_OR_RETURN(config.cuda_memory_pool_byte_sizes[static_cast<int>(gpu)],
                              ParseNumber(text.substr(colon + 1), 0, std::uint64_t{1} << 50));
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    std::string text;
    for (const auto& [gpu, byte_size] : config.cuda_memory_pool_byte_sizes) {
      text += fmt::format("{}{}:{}", text.empty() ? "" : " ", gpu, byte_size);
    }
    return text;
  };
  option.clear = [](ServerConfig& config) { config.cuda_memory_pool_byte_sizes.clear(); };
  return option;
}

Option NotActedOn(std::string_view name) {
  return Option{
      .name = name,
      .alias = {},
      .group = "Accepted without effect",
      .value = "VALUE",
      .help = "A flag of Triton's that this version accepts, warns about and does not act on.",
      .kind = OptionKind::kNotActedOn};
}

void AppendHttpOptions(std::vector<Option>& options) {
  options.push_back(
      Bool("allow-http", "HTTP", &ServerConfig::allow_http, "Serve the v2 protocol over HTTP."));
  options.push_back(Text("http-address", "HTTP", &ServerConfig::http_address, "ADDRESS[,ADDRESS]",
                         "Numeric addresses to listen at."));
  options.push_back(Number("http-port", "HTTP", &ServerConfig::http_port, "PORT", {0, 65535},
                           "0: any free port."));
  options.push_back(Bool("reuse-http-port", "HTTP", &ServerConfig::reuse_http_port,
                         "Share the port with other processes (SO_REUSEPORT)."));
  options.push_back(Number("http-thread-count", "HTTP", &ServerConfig::http_thread_count, "COUNT",
                           {0, 1024}, "Event loops; 0: half of the cores, at least one."));
  options.push_back(Bool("http-thread-pinning", "HTTP", &ServerConfig::http_thread_pinning,
                         "Pin each event loop to a core of its own."));
  options.push_back(
      Number("http-max-input-size", "HTTP", &ServerConfig::http_input_byte_size_max, "BYTES",
             {1, std::uint64_t{1} << 40},
             "Largest request body, also decompressed, and largest tensor made from JSON."));
  options.push_back(Number("http-max-connections", "HTTP", &ServerConfig::http_connection_count_max,
                           "COUNT", {1, 10'000'000},
                           "Open connections; beyond it new ones get 503."));
  options.push_back(Number("http-header-timeout-ms", "HTTP", &ServerConfig::http_header_timeout_ms,
                           "MS", {1, 86'400'000}, "Time for a request's head to arrive."));
  options.push_back(Number("http-body-idle-timeout-ms", "HTTP",
                           &ServerConfig::http_body_idle_timeout_ms, "MS", {1, 86'400'000},
                           "Longest pause within a request's body."));
  options.push_back(Number("http-write-idle-timeout-ms", "HTTP",
                           &ServerConfig::http_write_idle_timeout_ms, "MS", {1, 86'400'000},
                           "Longest time in which a client reads nothing of its answer."));
  options.push_back(Number("http-keep-alive-timeout-ms", "HTTP",
                           &ServerConfig::http_keep_alive_timeout_ms, "MS", {1, 86'400'000},
                           "How long a connection may be idle between requests."));
  options.push_back(Number("http-requests-per-connection-max", "HTTP",
                           &ServerConfig::http_requests_per_connection_max, "COUNT", {},
                           "Requests on one connection before it is closed; 0: no limit."));
  options.push_back(
      Bool("insecure-allow-remote", "HTTP", &ServerConfig::insecure_allow_remote,
           "Allow addresses that other machines reach, without encryption or authentication."));
}

void AppendLimitOptions(std::vector<Option>& options) {
  options.push_back(Number(
      "memory-budget-byte-size", "Limits", &ServerConfig::memory_budget_byte_size, "BYTES",
      {std::uint64_t{1} << 20, std::uint64_t{1} << 50},
      "Memory of all request bodies and responses together; beyond it requests are refused."));
  options.push_back(Number("memory-idle-byte-size", "Limits", &ServerConfig::memory_idle_byte_size,
                           "BYTES", {0, std::uint64_t{1} << 50},
                           "How much of it is kept for reuse when idle."));
  options.push_back(Number("queue-request-count-max", "Limits",
                           &ServerConfig::queue_request_count_max, "COUNT", {1, 100'000'000},
                           "Requests that wait for one model; beyond it new ones get 503."));
  options.push_back(
      Number("override-byte-size-max", "Limits", &ServerConfig::override_byte_size_max, "BYTES",
             {0, std::uint64_t{1} << 50},
             "Bytes of all model files that came with load requests and are in use."));
  options.push_back(Number("queue-byte-size-max", "Limits", &ServerConfig::queue_byte_size_max,
                           "BYTES", {1, std::uint64_t{1} << 50},
                           "Bytes of the inputs that wait for one model."));
  options.push_back(Number(
      "priority-passed-over-max", "Limits", &ServerConfig::priority_passed_over_max, "COUNT",
      {0, 1'000'000},
      "Of a model with priority levels: after so many batches without the request that waits "
      "longest, the next batch begins with it. 0: strictly by level."));
}

void AppendMetricOptions(std::vector<Option>& options) {
  options.push_back(
      Bool("allow-metrics", "Metrics", &ServerConfig::allow_metrics, "Serve GET /metrics."));
  options.push_back(Bool("allow-cpu-metrics", "Metrics", &ServerConfig::allow_cpu_metrics,
                         "Include the machine's and the process's figures."));
  options.push_back(Bool("allow-gpu-metrics", "Metrics", &ServerConfig::allow_gpu_metrics,
                         "Include the figures of the GPUs, where there are any."));
  options.push_back(Number("metrics-interval-ms", "Metrics", &ServerConfig::metrics_interval_ms,
                           "MS", {1, 86'400'000}, "How often the GPUs are asked at most."));
  options.push_back(Text("metrics-address", "Metrics", &ServerConfig::metrics_address,
                         "ADDRESS[,ADDRESS]", "Empty: the HTTP address."));
  options.push_back(Number("metrics-port", "Metrics", &ServerConfig::metrics_port, "PORT",
                           {0, 65535}, "0: any free port."));
}

void AppendProcessOptions(std::vector<Option>& options) {
  options.push_back(Text("id", "Process", &ServerConfig::server_id, "NAME",
                         "The server's name in its metadata."));
  options.push_back(
      Number("exit-timeout-secs", "Process", &ServerConfig::exit_timeout_s, "SECONDS", {0, 86'400},
             "Time for requests in flight to finish when the program is asked to end."));
  options.push_back(Text("user", "Process", &ServerConfig::run_as_user, "NAME",
                         "Give up root for this user before anything is served."));
}

void AppendSharedMemoryOptions(std::vector<Option>& options) {
  options.push_back(Bool("allow-client-shm", "Shared memory", &ServerConfig::allow_client_shm,
                         "Let clients register shared memory of this machine for tensors."));
  options.push_back(Text("client-shm-key-prefix", "Shared memory",
                         &ServerConfig::client_shm_key_prefix, "PREFIX",
                         "Only objects whose names begin so may be registered; empty: any."));
  options.push_back(Number("client-shm-regions-max", "Shared memory",
                           &ServerConfig::client_shm_region_count_max, "COUNT", {1, 1'000'000},
                           "Regions that may be registered at a time."));
}

void AppendGpuOptions(std::vector<Option>& options) {
  options.push_back(MinSupportedComputeCapability());
  options.push_back(
      Number("pinned-memory-pool-byte-size", "GPU", &ServerConfig::pinned_memory_pool_byte_size,
             "BYTES", {0, std::uint64_t{1} << 50},
             "Page-locked memory that backends may ask the server for where there is a "
             "GPU; 0: none."));
  options.push_back(CudaMemoryPoolByteSize());
}

std::vector<Option> MakeOptions() {
  std::vector<Option> options;
  AppendModelOptions(options);
  AppendPythonOptions(options);
  AppendArchiveOptions(options);
  AppendTorchServeOptions(options);
  AppendNativeOptions(options);
  AppendVariantOptions(options);
  AppendPlacementOptions(options);
  AppendHttpOptions(options);
  AppendTransportOptions(options);
  AppendServiceOptions(options);
  AppendAccessOptions(options);
  AppendSharedMemoryOptions(options);
  AppendGpuOptions(options);
  AppendModelServiceOptions(options);
  AppendSchedulingOptions(options);
  AppendLimitOptions(options);
  AppendMetricOptions(options);
  AppendLoggingOptions(options);
  AppendProcessOptions(options);
  for (std::string_view name :
       {"grpc-infer-thread-count", "grpc-infer-allocation-pool-size", "grpc-max-response-pool-size",
        "buffer-manager-thread-count", "enable-peer-access", "model-load-gpu-limit",
        "allow-sagemaker", "allow-vertex-ai"}) {
    options.push_back(NotActedOn(name));
  }
  return options;
}

}  // namespace

std::span<const Option> ServerOptions() {
  static const std::vector<Option> options = MakeOptions();
  return options;
}

const Option* FindOption(std::string_view name) {
  for (const Option& option : ServerOptions()) {
    if (option.name == name || (!option.alias.empty() && option.alias == name)) {
      return &option;
    }
  }
  return nullptr;
}

std::string EnvironmentName(const Option& option) {
  std::string name = "HEADRACE_";
  for (const char c : option.name) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

}  // namespace headrace::server
