// Predictions of models of `backend: "handler"`, whatever route they come by (contracts, TorchServe
// 1.2 to 1.10), and the two routes that every listener of v2 has too.
#ifndef HEADRACE_FRONTEND_PREDICTIONS_H_
#define HEADRACE_FRONTEND_PREDICTIONS_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/registry.h"
#include "frontend/prediction_request.h"
#include "frontend/replies.h"
#include "frontend/router.h"
#include "net/http.h"

namespace headrace::frontend {

class PredictionWatcher;
struct Call;
struct LoopContext;
struct Services;
struct TorchServeError;

// Answers `exchange` now or later, exactly once. `version` empty: the model's default one.
// `watcher` may be null.
void Predict(Services& services, LoopContext& loop, net::HttpExchangeRef exchange,
             std::string_view model, std::string_view version, const PredictionTarget& target,
             PredictionWatcher* watcher = nullptr);

// The handler's model of that name, READY. A version is found by what it is called
// (engine::ModelOptions::version_name), else by its number, which "N.0" means too. The error is the
// client's answer: 404 for what is not known, 503 for what is not ready, 400 for no handler.
std::optional<TorchServeError> FindHandler(std::string_view model, std::string_view version,
                                           const engine::RegistrySnapshot& models,
                                           engine::ModelHandle& found);

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
