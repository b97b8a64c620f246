// From an HTTP request to the request that a handler's model takes (docs/workers.md).
#ifndef HEADRACE_FRONTEND_PREDICTION_REQUEST_H_
#define HEADRACE_FRONTEND_PREDICTION_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "net/http.h"
#include "protocol/form_part.h"
#include "protocol/v2_message.h"
#include "tensor/tensor.h"

namespace headrace::frontend {

// What the route adds to a request; nothing: the handler has no such header.
struct PredictionTarget {
  std::optional<std::string> url_path;  // what stood behind the version
  std::optional<bool> explain;
  // Further inputs, without a type; those of a form come behind them.
  std::vector<std::pair<std::string, std::string>> query_inputs = {};
};

// What a model's scheduler and the handler are told beside the client's headers.
struct PredictionPlan {
  std::string handler_id;        // the id that the handler knows the request by
  std::uint64_t priority = 0;    // 0: the model's default
  std::string sequence_id = {};  // empty: the request belongs to none
  std::vector<std::pair<std::string, std::string>> headers = {};  // behind the client's
};

// The input `data` and the parameters that say what is where in it (contracts, TorchServe 1.3).
// Forms become their parts; anything else, also a body without a type, is one part `body`. The
// bytes stay where they were received, but for the values of an urlencoded form, which are decoded
// once; further inputs are put behind the body, which is copied then. INVALID_ARGUMENT for a form
// that cannot be read. `request_id` becomes the request's id.
Result<protocol::V2InferRequest> BuildPrediction(const net::HttpExchange& exchange,
                                                 const PredictionTarget& target,
                                                 PredictionPlan plan, std::string request_id);

// What came by another protocol than HTTP: the parts, and the tensor that has their bytes.
struct PredictionContent {
  Tensor data;
  std::vector<protocol::FormPart> parts;
};
// The same request of it; the handler sees the headers of `plan`.
protocol::V2InferRequest BuildPrediction(PredictionContent content, PredictionPlan plan,
                                         std::string request_id);

// The client's x-request-id if it is one that can be told on, else one that nobody has had.
// Thread-safe.
std::string RequestIdOf(const net::HttpRequestHead& head);
// One that nobody has had: a UUID. Not a secret. Thread-safe.
std::string NewRequestId();

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_PREDICTION_REQUEST_H_
