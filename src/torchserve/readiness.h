// What the health routes of all protocols of this folder tell (contracts, TorchServe 1.9).
// Thread-safe.
#ifndef HEADRACE_TORCHSERVE_READINESS_H_
#define HEADRACE_TORCHSERVE_READINESS_H_

#include "frontend/call.h"
#include "torchserve/api_route.h"

namespace headrace::torchserve {

// /ping: every default version has the workers that it is to have, those that are on their way
// included, and the server does not end.
bool IsHealthy(const ApiServices& api, const frontend::Services& services);

// What a balancer wants to know: whether all that is served can be asked now. Every default version
// of the store that is to have workers has one that is ready, and so has whatever the repositories
// hold.
bool IsReady(const ApiServices& api, const frontend::Services& services);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_READINESS_H_
