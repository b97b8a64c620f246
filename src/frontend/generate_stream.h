// One generate_stream request: its responses as server-sent events, as they come (contracts, Triton
// 1.10).
#ifndef HEADRACE_FRONTEND_GENERATE_STREAM_H_
#define HEADRACE_FRONTEND_GENERATE_STREAM_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/response_sink.h"
#include "frontend/generate_request.h"
#include "frontend/posted_bytes.h"
#include "net/http.h"

namespace headrace::frontend {

// The first response decides the HTTP status: 200, or that of an error. Each response is one event,
// `data: {...}`; so is an error, `data: {"error":"..."}`, after which nothing follows if it ends
// the request. A request that is refused when it is submitted, before any model has seen it, gets
// an ordinary error answer. A request without a response gets an empty stream.
//
// A decoupled model makes responses whether or not anybody takes them: beyond
// `http_stream_unsent_byte_size_max` bytes that the client has not taken, its request ends with an
// error event. A client that is gone cancels it.
//
// On the exchange's loop, but for what is said to be for any thread. Lives as long as its request.
class GenerateStream final : public std::enable_shared_from_this<GenerateStream> {
 public:
  // Submits the request. `services` are borrowed and outlive the exchange's loop.
  static void Start(net::HttpExchangeRef exchange, PreparedGenerate prepared,
                    const Services& services);

  // Through Start.
  GenerateStream(net::HttpExchangeRef exchange, engine::ModelHandle model, InferReplyPlan plan,
                 const Services& services);

 private:
  class Sink;
  class ResponseTask;
  class FinishTask;

  void OnResponse(engine::InferResponse response);
  void OnFinish(Status status, bool refused);
  Result<std::string> Encode(engine::InferResponse& response) const;
  void SendEvent(std::string json, const Status& status);
  void SendError(const Status& status);

  const net::HttpExchangeRef exchange_;
  const engine::ModelHandle model_;
  const InferReplyPlan plan_;
  const Services& services_;
  bool submitting_ = false;              // SubmitInfer is under way
  bool begun_ = false;                   // the head is out
  std::atomic<bool> failed_{false};      // any thread: a response could not be sent
  std::atomic<bool> overflowed_{false};  // any thread: the client does not read
  PostedBytes posted_bytes_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GENERATE_STREAM_H_
