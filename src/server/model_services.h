// Makes what all models share, from the configuration: the response cache and the rate limiter.
#ifndef HEADRACE_SERVER_MODEL_SERVICES_H_
#define HEADRACE_SERVER_MODEL_SERVICES_H_

#include <memory>

#include "base/result.h"
#include "engine/local_response_cache.h"
#include "engine/rate_limiter.h"
#include "server/server_config.h"

namespace headrace::server {

// Each is null where it is not asked for.
struct ModelServices {
  std::shared_ptr<engine::LocalResponseCache> cache;
  std::shared_ptr<engine::RateLimiter> limiter;
};

// INVALID_ARGUMENT names the option that is wrong.
Result<ModelServices> MakeModelServices(const ServerConfig& config);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_MODEL_SERVICES_H_
