// Entries of family "server_options".
#include "capi/server_options.h"

#include <simdjson.h>

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "plugin/values.h"
#include "server/options.h"

using headrace::InvalidArgument;
using headrace::Unimplemented;
using headrace::plugin::Answer;
using headrace::plugin::ToTriton;
using headrace::repository::ControlMode;

namespace {

// Runs `change`, which cannot fail but for memory.
template <typename Change>
TRITONSERVER_Error* Set(Change&& change) {
  return Answer([&]() -> TRITONSERVER_Error* {
    change();
    return nullptr;
  });
}

// An option that would change what the server does, and that this server does not have.
TRITONSERVER_Error* Missing(const char* option, const char* remedy) {
  return Answer([&] { return ToTriton(Unimplemented("{} is not supported: {}", option, remedy)); });
}

// The members of a JSON object, as the texts that --cache-config would have.
headrace::Result<std::map<std::string, std::string>> Settings(const char* json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json, std::strlen(json)).get(object) != simdjson::SUCCESS) {
    return InvalidArgument("a cache's configuration must be a JSON object, got '{}'", json);
  }
  std::map<std::string, std::string> settings;
  for (const auto [key, value] : object) {
    std::string_view text;
    settings[std::string(key)] = value.get(text) == simdjson::SUCCESS
                                     ? std::string(text)
                                     : std::string(simdjson::minify(value));
  }
  return settings;
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONSERVER_ServerOptionsNew(TRITONSERVER_ServerOptions** options) {
  return Answer([&]() -> TRITONSERVER_Error* {
    auto made = std::make_unique<TRITONSERVER_ServerOptions>();
    made->config.allow_http = false;
    made->config.allow_grpc = false;
    made->config.allow_metrics = false;
    *options = made.release();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsDelete(TRITONSERVER_ServerOptions* options) {
  delete options;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetServerId(TRITONSERVER_ServerOptions* options,
                                                          const char* server_id) {
  return Set([&] { options->config.server_id = server_id; });
}

// May be called several times.
TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetModelRepositoryPath(
    TRITONSERVER_ServerOptions* options, const char* model_repository_path) {
  return Set([&] { options->config.model_repositories.emplace_back(model_repository_path); });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetModelControlMode(
    TRITONSERVER_ServerOptions* options, TRITONSERVER_ModelControlMode mode) {
  switch (mode) {
    case TRITONSERVER_MODEL_CONTROL_NONE:
      options->config.control_mode = ControlMode::kNone;
      return nullptr;
    case TRITONSERVER_MODEL_CONTROL_POLL:
      options->config.control_mode = ControlMode::kPoll;
      // As the interface has it: the server looks when ServerPollModelRepository is called.
      options->config.repository_poll_s = 0;
      return nullptr;
    case TRITONSERVER_MODEL_CONTROL_EXPLICIT:
      options->config.control_mode = ControlMode::kExplicit;
      return nullptr;
  }
  return ToTriton(InvalidArgument("there is no model control mode {}", static_cast<int>(mode)));
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetStartupModel(TRITONSERVER_ServerOptions* options,
                                                              const char* model_name) {
  return Set([&] { options->config.load_models.emplace_back(model_name); });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetStrictModelConfig(
    TRITONSERVER_ServerOptions* options, bool strict) {
  return Set([&] { options->config.disable_auto_complete_config = strict; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetModelConfigName(
    TRITONSERVER_ServerOptions* options, const char* model_config_name) {
  return Set([&] { options->config.model_config_name = model_config_name; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetRateLimiterMode(
    TRITONSERVER_ServerOptions* options, TRITONSERVER_RateLimitMode mode) {
  if (mode != TRITONSERVER_RATE_LIMIT_OFF && mode != TRITONSERVER_RATE_LIMIT_EXEC_COUNT) {
    return ToTriton(InvalidArgument("there is no rate limit mode {}", static_cast<int>(mode)));
  }
  options->config.rate_limit = mode == TRITONSERVER_RATE_LIMIT_EXEC_COUNT;
  return nullptr;
}

// A negative device: on each.
TRITONSERVER_Error* TRITONSERVER_ServerOptionsAddRateLimiterResource(
    TRITONSERVER_ServerOptions* options, const char* resource_name, const size_t resource_count,
    const int device) {
  return Set([&] {
    headrace::engine::ResourceLimit limit{
        .name = resource_name, .count = resource_count, .device = {}};
    if (device >= 0) {
      limit.device = device;
    }
    options->config.rate_limit_resources.push_back(std::move(limit));
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetPinnedMemoryPoolByteSize(
    TRITONSERVER_ServerOptions* options, uint64_t size) {
  return Set([&] { options->config.pinned_memory_pool_byte_size = size; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetCudaMemoryPoolByteSize(
    TRITONSERVER_ServerOptions* options, int gpu_device, uint64_t size) {
  return Set([&] { options->config.cuda_memory_pool_byte_sizes[gpu_device] = size; });
}

// A hint to an allocator that this server does not use.
TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetCudaVirtualAddressSize(
    TRITONSERVER_ServerOptions* /*options*/, int /*gpu_device*/,
    size_t /*cuda_virtual_address_size*/) {
  return nullptr;
}

// The older way to ask for the local cache.
TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetResponseCacheByteSize(
    TRITONSERVER_ServerOptions* options, uint64_t size) {
  return Set([&] { options->config.response_cache_byte_size = size; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetCacheConfig(TRITONSERVER_ServerOptions* options,
                                                             const char* cache_name,
                                                             const char* config_json) {
  return Answer([&]() -> TRITONSERVER_Error* {
    auto settings = Settings(config_json);
    if (!settings.ok()) {
      return ToTriton(settings.status());
    }
    if (cache_name[0] == '\0') {
      return ToTriton(InvalidArgument("a response cache must have a name"));
    }
    options->config.cache_name = cache_name;
    options->config.cache_settings = *std::move(settings);
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetCacheDirectory(TRITONSERVER_ServerOptions* options,
                                                                const char* cache_dir) {
  return Set([&] { options->config.cache_directory = cache_dir; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetMinSupportedComputeCapability(
    TRITONSERVER_ServerOptions* options, double cc) {
  return Set([&] { options->config.compute_capability_min = cc; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetExitOnError(TRITONSERVER_ServerOptions* options,
                                                             bool exit) {
  return Set([&] { options->config.exit_on_error = exit; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetStrictReadiness(
    TRITONSERVER_ServerOptions* options, bool strict) {
  return Set([&] { options->config.strict_readiness = strict; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetExitTimeout(TRITONSERVER_ServerOptions* options,
                                                             unsigned int timeout) {
  return Set([&] { options->config.exit_timeout_s = timeout; });
}

// Buffers are copied by the threads that need them.
TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetBufferManagerThreadCount(
    TRITONSERVER_ServerOptions* /*options*/, unsigned int /*thread_count*/) {
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetModelLoadThreadCount(
    TRITONSERVER_ServerOptions* options, unsigned int thread_count) {
  if (thread_count == 0) {
    return ToTriton(InvalidArgument("the model load thread count must be at least 1"));
  }
  options->config.model_load_thread_count = thread_count;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetModelLoadRetryCount(
    TRITONSERVER_ServerOptions* options, unsigned int retry_count) {
  return Set([&] { options->config.model_load_retry_count = retry_count; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetModelNamespacing(
    TRITONSERVER_ServerOptions* options, bool enable_namespace) {
  return Set([&] { options->config.model_namespacing = enable_namespace; });
}

// GPUs that reach each other's memory: a matter of the backends' runtimes here.
TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetEnablePeerAccess(
    TRITONSERVER_ServerOptions* /*options*/, bool /*enable_peer_access*/) {
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetLogFile(TRITONSERVER_ServerOptions* options,
                                                         const char* file) {
  return Set([&] { options->config.log.file = file; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetLogInfo(TRITONSERVER_ServerOptions* options,
                                                         bool log) {
  return Set([&] { options->config.log.info = log; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetLogWarn(TRITONSERVER_ServerOptions* options,
                                                         bool log) {
  return Set([&] { options->config.log.warning = log; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetLogError(TRITONSERVER_ServerOptions* options,
                                                          bool log) {
  return Set([&] { options->config.log.error = log; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetLogFormat(TRITONSERVER_ServerOptions* options,
                                                           const TRITONSERVER_LogFormat format) {
  options->config.log.format = format == TRITONSERVER_LOG_ISO8601 ? headrace::LogFormat::kIso8601
                                                                  : headrace::LogFormat::kDefault;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetLogVerbose(TRITONSERVER_ServerOptions* options,
                                                            int level) {
  return Set([&] { options->config.log.verbose_level = level; });
}

// The page is made when ServerMetrics asks for it.
TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetMetrics(TRITONSERVER_ServerOptions* /*options*/,
                                                         bool /*metrics*/) {
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetGpuMetrics(TRITONSERVER_ServerOptions* options,
                                                            bool gpu_metrics) {
  return Set([&] { options->config.allow_gpu_metrics = gpu_metrics; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetCpuMetrics(TRITONSERVER_ServerOptions* options,
                                                            bool cpu_metrics) {
  return Set([&] { options->config.allow_cpu_metrics = cpu_metrics; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetMetricsInterval(
    TRITONSERVER_ServerOptions* options, uint64_t metrics_interval_ms) {
  return Set([&] { options->config.metrics_interval_ms = metrics_interval_ms; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetBackendDirectory(
    TRITONSERVER_ServerOptions* options, const char* backend_dir) {
  return Set([&] { options->config.backend_directory = backend_dir; });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetRepoAgentDirectory(
    TRITONSERVER_ServerOptions* options, const char* repoagent_dir) {
  return Set([&] { options->config.repoagent_directory = repoagent_dir; });
}

// The same as --host-policy, with its faults.
TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetHostPolicy(TRITONSERVER_ServerOptions* options,
                                                            const char* policy_name,
                                                            const char* setting,
                                                            const char* value) {
  return Answer([&] {
    return ToTriton(
        headrace::server::FindOption("host-policy")
            ->set(options->config, std::string(policy_name) + ',' + setting + '=' + value));
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetModelLoadDeviceLimit(
    TRITONSERVER_ServerOptions* /*options*/, const TRITONSERVER_InstanceGroupKind /*kind*/,
    const int /*device_id*/, const double fraction) {
  return fraction >= 1.0 ? nullptr
                         : Missing("a limit on device memory while models load",
                                   "limit the instance counts of the models");
}

TRITONSERVER_Error* TRITONSERVER_ServerOptionsSetBackendConfig(TRITONSERVER_ServerOptions* options,
                                                               const char* backend_name,
                                                               const char* setting,
                                                               const char* value) {
  return Set([&] { options->config.backend_config[backend_name][setting] = value; });
}

}  // extern "C"
