#include "server/model_services.h"

#include <cstdint>
#include <utility>

#include "base/topology.h"
#include "engine/local_response_cache.h"
#include "plugin/agent_host.h"
#include "plugin/plugin_cache.h"
#include "server/option_text.h"
#include "server/process.h"

namespace headrace::server {
namespace {

constexpr const char* kLocal = "local";

plugin::PluginCacheOptions LibraryOptions(const ServerConfig& config) {
  return {.name = config.cache_name,
          .directory = config.cache_directory.empty() ? ProgramDirectory() + "/caches"
                                                      : config.cache_directory,
          .settings = config.cache_settings,
          .host_library_directory = config.host_library_directory,
          .thread_count = config.cache_thread_count,
          .waiting_max = config.cache_waiting_max};
}

// The server's own cache; 0: none.
Result<std::uint64_t> LocalCacheByteSize(const ServerConfig& config) {
  if (config.cache_name.empty()) {
    return config.response_cache_byte_size;
  }
  std::uint64_t byte_size = 0;
  for (const auto& [key, value] : config.cache_settings) {
    if (key != "size") {
      return InvalidArgument("--cache-config: cache 'local' has no setting '{}'; it has 'size'",
                             key);
    }
    auto parsed = ParseNumber(value, 1, std::uint64_t{1} << 50);
    if (!parsed.ok()) {
      return parsed.status().WithPrefix("--cache-config: size: ");
    }
    byte_size = *parsed;
  }
  return byte_size;
}

template <typename Cache>
void Use(std::shared_ptr<Cache> cache, ModelServices& services) {
  services.cache_metrics = cache;
  services.cache = std::move(cache);
}

Status MakeCache(const ServerConfig& config, ModelServices& services) {
  if (!config.cache_name.empty() && config.response_cache_byte_size > 0) {
    return InvalidArgument("--cache-config and --response-cache-byte-size exclude each other");
  }
  const plugin::PluginCacheOptions options = LibraryOptions(config);
  if (!options.name.empty() &&
      (options.name != kLocal || plugin::FindCacheLibrary(kLocal, options.directory))) {
    auto cache = plugin::PluginCache::Create(options);
    if (!cache.ok()) {
      return cache.status().WithPrefix("--cache-config: ");
    }
    Use(*std::move(cache), services);
    return OkStatus();
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t byte_size, LocalCacheByteSize(config));
  if (byte_size > 0) {
    Use(std::make_shared<engine::LocalResponseCache>(byte_size), services);
  }
  return OkStatus();
}

}  // namespace

Result<ModelServices> MakeModelServices(const ServerConfig& config) {
  ModelServices services;
  HEADRACE_RETURN_IF_ERROR(MakeCache(config, services));
  if (config.rate_limit) {
    services.limiter = std::make_shared<engine::RateLimiter>(config.rate_limit_resources);
  }
  if (config.native_handlers) {
    services.cpu = std::make_shared<handler::CpuPool>(handler::CpuPoolOptions{
        .thread_count = config.cpu_thread_count > 0
                            ? config.cpu_thread_count
                            : static_cast<std::size_t>(Topology::Read().core_count()),
        .waiting_max = config.cpu_waiting_max,
        .image_pixel_count_max = config.image_pixel_count_max,
        .image_memory_byte_size_max = config.image_memory_byte_size_max});
  }
  services.agents = std::make_shared<plugin::AgentHost>(config.repoagent_directory.empty()
                                                            ? ProgramDirectory() + "/repoagents"
                                                            : config.repoagent_directory);
  return services;
}

}  // namespace headrace::server
