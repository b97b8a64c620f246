// The way back of a prediction: one answer, or a stream of pieces.
#ifndef HEADRACE_FRONTEND_PREDICTION_REPLY_H_
#define HEADRACE_FRONTEND_PREDICTION_REPLY_H_

#include <memory>
#include <string>

#include "engine/model.h"
#include "engine/request_trace.h"
#include "engine/response_sink.h"
#include "net/http.h"

namespace headrace::frontend {

struct Services;

// What an answer needs beside its response.
struct PredictionReplyPlan {
  std::string request_id;
  std::string version;                          // as the client has asked for it; empty: it did not
  std::shared_ptr<engine::RequestTrace> trace;  // null: not traced
};

// Turns the responses of a handler's model into the answer of `exchange` (contracts,
// TorchServe 1.4, 1.6, 1.10): status, phrase, content type and headers are those that the handler
// has set, with the server's own beside them; the first response without the final flag begins a
// chunked answer. A client that does not read is given up beyond `http_stream_unsent_byte_size_max`
// bytes. `services` are borrowed and outlive the exchange's loop. On that loop.
std::unique_ptr<engine::ResponseSink> MakePredictionSink(net::HttpExchangeRef exchange,
                                                         engine::ModelHandle model,
                                                         PredictionReplyPlan plan,
                                                         const Services& services);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_PREDICTION_REPLY_H_
