// The routes of TorchServe's inference API that models of `backend: "handler"` have (contracts,
// TorchServe 1.2 to 1.10).
#ifndef HEADRACE_FRONTEND_PREDICTIONS_H_
#define HEADRACE_FRONTEND_PREDICTIONS_H_

#include <optional>

#include "engine/registry.h"
#include "frontend/replies.h"
#include "frontend/router.h"
#include "net/http.h"

namespace headrace::frontend {

struct Call;
struct Services;

// /predictions/{model}[/{version}[/{path...}]]: any method and any body. Answers its call now or
// later, exactly once.
void ServePrediction(Call& call);
// /explanations/{model}[/{version}]: the same, with `explain`.
void ServeExplanation(Call& call);

// Refuses a request with a large body by its head: one that no model takes, or that is too large.
// Counts the refusal.
std::optional<Refusal> RefusePredictionEarly(Services& services, const RouteMatch& match,
                                             const net::HttpRequestHead& head,
                                             const engine::RegistrySnapshot& models);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_PREDICTIONS_H_
