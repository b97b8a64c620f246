// What is decided about an inference request before its body is there, and again when it is.
#ifndef HEADRACE_FRONTEND_V2_INFER_H_
#define HEADRACE_FRONTEND_V2_INFER_H_

#include <memory>
#include <optional>

#include "engine/registry.h"
#include "engine/request_trace.h"
#include "frontend/call.h"
#include "frontend/infer_headers.h"
#include "frontend/replies.h"
#include "net/http.h"

namespace headrace::frontend {

// Why the request cannot be served whatever its body is: unknown or not ready model, unsupported
// coding, malformed headers. Counts it.
std::optional<Refusal> RefuseInferEarly(Services& services, const RouteMatch& match,
                                        const net::HttpRequestHead& head,
                                        const engine::RegistrySnapshot& models);

// A trace for the request of `call`, with its times so far; null for most.
std::shared_ptr<engine::RequestTrace> BeginHttpTrace(const Call& call, const engine::Model& model);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_V2_INFER_H_
