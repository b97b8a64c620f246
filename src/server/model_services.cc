#include "server/model_services.h"

#include <cstdint>

#include "server/option_text.h"

namespace headrace::server {
namespace {

// 0: no cache.
Result<std::uint64_t> CacheByteSize(const ServerConfig& config) {
  if (config.cache_name.empty()) {
    return config.response_cache_byte_size;
  }
  if (config.response_cache_byte_size > 0) {
    return InvalidArgument("--cache-config and --response-cache-byte-size exclude each other");
  }
  if (config.cache_name != "local") {
    return InvalidArgument("--cache-config: there is no cache '{}'; there is 'local'",
                           config.cache_name);
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

}  // namespace

Result<ModelServices> MakeModelServices(const ServerConfig& config) {
  ModelServices services;
  HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t cache_byte_size, CacheByteSize(config));
  if (cache_byte_size > 0) {
    services.cache = std::make_shared<engine::LocalResponseCache>(cache_byte_size);
  }
  if (config.rate_limit) {
    services.limiter = std::make_shared<engine::RateLimiter>(config.rate_limit_resources);
  }
  return services;
}

}  // namespace headrace::server
