// What the configuration says about every listener.
#ifndef HEADRACE_SERVER_LISTENER_LIMITS_H_
#define HEADRACE_SERVER_LISTENER_LIMITS_H_

#include "net/listener_options.h"
#include "server/server_config.h"

namespace headrace::server {

// How many loops serve: half of the cores, at least one, unless the configuration says.
int LoopCount(const ServerConfig& config);

Nanos Millis(std::uint64_t count);
// 0 stands for "never".
Nanos MillisOrNever(std::uint64_t count);

net::HttpLimits HttpLimitsOf(const ServerConfig& config);
net::Http2Limits Http2LimitsOf(const ServerConfig& config);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_LISTENER_LIMITS_H_
