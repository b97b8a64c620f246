// A handler's response as an HTTP response. Pure.
#ifndef HEADRACE_FRONTEND_PREDICTION_ANSWER_H_
#define HEADRACE_FRONTEND_PREDICTION_ANSWER_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/parameter.h"
#include "engine/response_sink.h"
#include "net/http.h"

namespace headrace::frontend {

// The headers that every prediction has, as complete lines.
std::string PredictionHeaders(std::string_view request_id);

// Head and body of the answer. Status, phrase, content type and headers come from the parameters of
// `response`, which are not to be trusted: a status outside of [200, 599] becomes 500; what would
// break the head, and headers that are the server's own, are left out.
net::HttpResponse BuildPredictionAnswer(const engine::InferResponse& response,
                                        std::string_view request_id);

// The body alone: the output `body`, or nothing.
std::vector<Buffer> PredictionBody(const engine::InferResponse& response);

// The parameter `status`, 0 for none that can be one.
int StatusParameter(const std::vector<Parameter>& parameters);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_PREDICTION_ANSWER_H_
