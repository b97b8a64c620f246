// From an HTTP request to the request that a handler's model takes (docs/workers.md).
#ifndef HEADRACE_FRONTEND_PREDICTION_REQUEST_H_
#define HEADRACE_FRONTEND_PREDICTION_REQUEST_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/http.h"
#include "protocol/v2_message.h"

namespace headrace::frontend {

// What the route adds to a request; nothing: the handler has no such header.
struct PredictionTarget {
  std::optional<std::string> url_path;  // what stood behind the version
  std::optional<bool> explain;
  // Further inputs, without a type; those of a form come behind them.
  std::vector<std::pair<std::string, std::string>> query_inputs = {};
};

// The input `data` and the parameters that say what is where in it (contracts, TorchServe 1.3).
// Forms become their parts; anything else, also a body without a type, is one part `body`. The
// bytes stay where they were received, but for the values of an urlencoded form, which are decoded
// once; further inputs are put behind the body, which is copied then. INVALID_ARGUMENT for a form
// that cannot be read. `request_id` becomes the request's id.
Result<protocol::V2InferRequest> BuildPrediction(const net::HttpExchange& exchange,
                                                 const PredictionTarget& target,
                                                 std::string request_id);

// The client's x-request-id if it is one that can be told on, else one that nobody has had.
// Thread-safe.
std::string RequestIdOf(const net::HttpRequestHead& head);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_PREDICTION_REQUEST_H_
