// Makes what all models share, from the configuration: the response cache, the rate limiter,
// and the repository agents.
#ifndef HEADRACE_SERVER_MODEL_SERVICES_H_
#define HEADRACE_SERVER_MODEL_SERVICES_H_

#include <memory>

#include "base/result.h"
#include "engine/rate_limiter.h"
#include "engine/response_cache.h"
#include "handler/cpu_pool.h"
#include "plugin/agent_host.h"
#include "server/server_config.h"
#include "telemetry/prometheus.h"

namespace headrace::server {

// Each is null where it is not asked for.
struct ModelServices {
  std::shared_ptr<engine::ResponseCache> cache;
  std::shared_ptr<telemetry::MetricSource> cache_metrics;  // there where `cache` is
  std::shared_ptr<engine::RateLimiter> limiter;
  std::shared_ptr<handler::CpuPool> cpu;      // of native handlers
  std::shared_ptr<plugin::AgentHost> agents;  // always there: models say whether they want it
};

// The cache is the library of its name below the cache directory, or, where 'local' has none there,
// the server's own. The failure names the option that is wrong.
Result<ModelServices> MakeModelServices(const ServerConfig& config);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_MODEL_SERVICES_H_
