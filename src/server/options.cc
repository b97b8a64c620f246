#include "server/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

#include "server/option_rows.h"
#include "server/option_text.h"

namespace headrace::server {
namespace {

using repository::ControlMode;

Option TextList(std::string_view name, std::string_view alias, std::string_view group,
                std::vector<std::string> ServerConfig::*field, std::string_view value,
                std::string_view help) {
  Option option{.name = name,
                .alias = alias,
                .group = group,
                .value = value,
                .help = help,
                .kind = OptionKind::kList};
  option.set = [field](ServerConfig& config, std::string_view text) {
    if (text.empty()) {
      return InvalidArgument("expected a value, got an empty one");
    }
    (config.*field).emplace_back(text);
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) {
    return fmt::format("{}", fmt::join(config.*field, " "));
  };
  option.clear = [field](ServerConfig& config) { (config.*field).clear(); };
  return option;
}

Option LogBool(std::string_view name, bool LogOptions::*field, std::string_view help) {
  Option option{.name = name, .alias = {}, .group = "Logging", .value = "true|false", .help = help};
  option.set = [field](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.log.*field, ParseBool(text));
    return OkStatus();
  };
  option.get = [field](const ServerConfig& config) { return config.log.*field ? "true" : "false"; };
  return option;
}

Option ModelControlMode() {
  Option option{.name = "model-control-mode",
                .alias = "model-control",
                .group = "Models",
                .value = "none|poll|explicit",
                .help =
                    "none: load every model at start, refuse the load and unload calls. poll: the "
                    "same, and follow changes of the repositories. explicit: load what "
                    "--load-model names, and let the repository calls load and unload."};
  option.set = [](ServerConfig& config, std::string_view text) {
    if (text == "none") {
      config.control_mode = ControlMode::kNone;
    } else if (text == "explicit") {
      config.control_mode = ControlMode::kExplicit;
    } else if (text == "poll") {
      config.control_mode = ControlMode::kPoll;
    } else {
      return InvalidArgument("expected none, poll or explicit, got '{}'", text);
    }
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return config.control_mode == ControlMode::kExplicit ? "explicit"
           : config.control_mode == ControlMode::kPoll   ? "poll"
                                                         : "none";
  };
  return option;
}

// "<backend>,<key>=<value>"; an empty backend means all of them.
Status SetBackendConfig(ServerConfig& config, std::string_view text) {
  const std::size_t comma = text.find(',');
  const std::size_t equals = text.find('=', comma == std::string_view::npos ? 0 : comma);
  if (comma == std::string_view::npos || equals == std::string_view::npos || equals == comma + 1) {
    return InvalidArgument("expected <backend>,<key>=<value>, got '{}'", text);
  }
  const std::string key(text.substr(comma + 1, equals - comma - 1));
  config.backend_config[std::string(text.substr(0, comma))][key] =
      std::string(text.substr(equals + 1));
  return OkStatus();
}

Option BackendConfig() {
  Option option{
      .name = "backend-config",
      .alias = {},
      .group = "Models",
      .value = "BACKEND,KEY=VALUE",
      .help = "A setting that is handed to a backend; an empty BACKEND means all. Repeatable.",
      .kind = OptionKind::kList};
  option.set = SetBackendConfig;
  option.get = [](const ServerConfig& config) {
    std::string text;
    for (const auto& [backend, settings] : config.backend_config) {
      for (const auto& [key, value] : settings) {
        text += fmt::format("{}{},{}={}", text.empty() ? "" : " ", backend, key, value);
      }
    }
    return text;
  };
  option.clear = [](ServerConfig& config) { config.backend_config.clear(); };
  return option;
}

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

// Deprecated in Triton: the opposite of disable-auto-complete-config.
Option StrictModelConfig() {
  Option option{.name = "strict-model-config",
                .alias = {},
                .group = "Models",
                .value = "true|false",
                .help = "true is the same as --disable-auto-complete-config."};
  option.set = [](ServerConfig& config, std::string_view text) {
    HEADRACE_ASSIGN_OR_RETURN(config.disable_auto_complete_config, ParseBool(text));
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return config.disable_auto_complete_config ? "true" : "false";
  };
  return option;
}

Option DisableAutoComplete() {
  Option option =
      Bool("disable-auto-complete-config", "Models", &ServerConfig::disable_auto_complete_config,
           "Take model configurations as they are written; backends complete nothing.");
  option.kind = OptionKind::kSwitch;
  option.value = {};
  return option;
}

Option LogVerbose() {
  Option option{.name = "log-verbose",
                .alias = {},
                .group = "Logging",
                .value = "LEVEL",
                .help = "Verbose entries up to this level; 0 turns them off, true means 1."};
  option.set = [](ServerConfig& config, std::string_view text) {
    if (text == "true" || text == "false") {
      config.log.verbose_level = text == "true" ? 1 : 0;
      return OkStatus();
    }
    HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t level, ParseNumber(text, 0, 10));
    config.log.verbose_level = static_cast<int>(level);
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return fmt::format("{}", config.log.verbose_level);
  };
  return option;
}

Option LogFormatOption() {
  Option option{.name = "log-format",
                .alias = {},
                .group = "Logging",
                .value = "default|ISO8601",
                .help = "Form of a log line's head."};
  option.set = [](ServerConfig& config, std::string_view text) {
    if (text != "default" && text != "ISO8601") {
      return InvalidArgument("expected default or ISO8601, got '{}'", text);
    }
    config.log.format = text == "default" ? LogFormat::kDefault : LogFormat::kIso8601;
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return config.log.format == LogFormat::kDefault ? "default" : "ISO8601";
  };
  return option;
}

Option LogFile() {
  Option option{.name = "log-file",
                .alias = {},
                .group = "Logging",
                .value = "PATH",
                .help = "Where all entries go; empty: standard output and standard error."};
  option.set = [](ServerConfig& config, std::string_view text) {
    config.log.file = std::string(text);
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) { return config.log.file; };
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

void AppendModelOptions(std::vector<Option>& options) {
  options.push_back(TextList("model-repository", "model-store", "Models",
                             &ServerConfig::model_repositories, "DIRECTORY",
                             "A model repository. Repeatable; at least one is required."));
  options.push_back(ModelControlMode());
  options.push_back(
      TextList("load-model", "", "Models", &ServerConfig::load_models, "NAME",
               "A model to load at start in explicit mode; * alone means all. Repeatable."));
  options.push_back(Number("repository-poll-secs", "Models", &ServerConfig::repository_poll_s,
                           "SECONDS", {1, 86'400},
                           "Time between two looks at the repositories in poll mode. A change is "
                           "taken up when two looks in a row have seen the same."));
  options.push_back(Bool("exit-on-error", "Models", &ServerConfig::exit_on_error,
                         "End the program with status 1 when a model fails to load at start."));
  options.push_back(
      Bool("strict-readiness", "Models", &ServerConfig::strict_readiness,
           "Ready only while every model is; otherwise ready once the start is over."));
  options.push_back(DisableAutoComplete());
  options.push_back(StrictModelConfig());
  options.push_back(
      Text("model-config-name", "Models", &ServerConfig::model_config_name, "NAME",
           "Use configs/NAME.pbtxt of a model in place of its config.pbtxt, where it exists."));
  options.push_back(Number("model-load-thread-count", "Models",
                           &ServerConfig::model_load_thread_count, "COUNT", {1, 256},
                           "Threads that load models."));
  options.push_back(Number("model-load-retry-count", "Models",
                           &ServerConfig::model_load_retry_count, "COUNT", {0, 100},
                           "How often a failed load is tried again."));
  options.push_back(
      Bool("model-namespacing", "Models", &ServerConfig::model_namespacing,
           "Let model repositories have models of the same name: each is a namespace. "
           "A name alone means a model while no other serves under it; "
           "REPOSITORY::NAME always."));
  options.push_back(Bool("allow-links-outside-repository", "Models",
                         &ServerConfig::allow_links_outside_repository,
                         "Follow links that lead out of their model repository."));
  options.push_back(Bool("allow-code-override", "Models", &ServerConfig::allow_code_override,
                         "Let load requests bring code with them: shared objects, Python files, "
                         "Python models."));
  options.push_back(Text("backend-directory", "Models", &ServerConfig::backend_directory,
                         "DIRECTORY",
                         "Where <backend>/libtriton_<backend>.so is looked for; empty: backends/ "
                         "beside the program."));
  options.push_back(BackendConfig());
  options.push_back(TextList("enable-openvino", "", "Models", &ServerConfig::enable_openvino,
                             "MODEL",
                             "Run this ONNX model with OpenVINO, as if its configuration asked for "
                             "that accelerator; * means all. Repeatable."));
  options.push_back(
      TextList("enable-tensorrt", "", "Models", &ServerConfig::enable_tensorrt, "MODEL",
               "Run this ONNX model with TensorRT on its GPUs; * means all that are on "
               "a GPU. Repeatable."));
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

Option TraceConfig() {
  Option option{
      .name = "trace-config",
      .alias = {},
      .group = "Tracing",
      .value = "[MODE,]KEY=VALUE",
      .help =
          "level=OFF|TIMESTAMPS|TENSORS, rate, count, mode=triton|opentelemetry; triton,file; "
          "triton,log-frequency; opentelemetry,url; opentelemetry,resource=KEY=VALUE; "
          "opentelemetry,bsp_*. Repeatable.",
      .kind = OptionKind::kList};
  option.set = [](ServerConfig& config, std::string_view text) {
    HEADRACE_RETURN_IF_ERROR(tracing::ParseTraceOption(text, config.trace, config.trace_target));
    config.trace_config.emplace_back(text);
    return OkStatus();
  };
  option.get = [](const ServerConfig& config) {
    return fmt::format("{}", fmt::join(config.trace_config, " "));
  };
  option.clear = [](ServerConfig& config) {
    config.trace = {};
    config.trace_target = {};
    config.trace_config.clear();
  };
  return option;
}

// Deprecated in Triton: `key` of --trace-config under a flag of its own.
Option OldTraceOption(std::string_view name, std::string_view key,
                      std::string (*get)(const ServerConfig&)) {
  Option option{.name = name,
                .alias = {},
                .group = "Tracing",
                .value = "VALUE",
                .help = "The old form of a --trace-config setting."};
  option.set = [key](ServerConfig& config, std::string_view text) {
    return tracing::ParseTraceOption(fmt::format("{}={}", key, text), config.trace,
                                     config.trace_target);
  };
  option.get = get;
  return option;
}

void AppendOtherOptions(std::vector<Option>& options) {
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
  options.push_back(LogVerbose());
  options.push_back(LogBool("log-info", &LogOptions::info, "Write INFO entries."));
  options.push_back(LogBool("log-warning", &LogOptions::warning, "Write WARNING entries."));
  options.push_back(LogBool("log-error", &LogOptions::error, "Write ERROR entries."));
  options.push_back(LogFormatOption());
  options.push_back(LogFile());
  options.push_back(TraceConfig());
  options.push_back(OldTraceOption("trace-file", "triton,file", [](const ServerConfig& config) {
    return config.trace_target.file;
  }));
  options.push_back(OldTraceOption("trace-level", "level", [](const ServerConfig& config) {
    return config.trace.levels.Names().back();
  }));
  options.push_back(OldTraceOption("trace-rate", "rate", [](const ServerConfig& config) {
    return fmt::format("{}", config.trace.rate);
  }));
  options.push_back(OldTraceOption("trace-count", "count", [](const ServerConfig& config) {
    return fmt::format("{}", config.trace.count);
  }));
  options.push_back(OldTraceOption(
      "trace-log-frequency", "triton,log-frequency",
      [](const ServerConfig& config) { return fmt::format("{}", config.trace.log_frequency); }));
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
  AppendOtherOptions(options);
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
