// What the headers of a prediction say about its scheduling (contracts, TorchServe 6.4 and 11.1).
#ifndef HEADRACE_FRONTEND_PREDICTION_SCHEDULE_H_
#define HEADRACE_FRONTEND_PREDICTION_SCHEDULE_H_

#include <string_view>

#include "base/result.h"
#include "engine/model.h"
#include "frontend/front_end.h"
#include "frontend/prediction_request.h"
#include "net/http.h"

namespace headrace::frontend {

// Priority and sequence, by the headers that `options` name. Of a model that batches sequences a
// request without a sequence begins one, whose name and begin the handler is told as headers. The
// handler knows a request by `request_id`, but by a new id where it executes requests again and
// again: two clients may have chosen the same one. INVALID_ARGUMENT for a priority that is none.
Result<PredictionPlan> PlanPrediction(const net::HttpRequestHead& head, const engine::Model& model,
                                      const FrontEndOptions& options, std::string_view request_id);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_PREDICTION_SCHEDULE_H_
