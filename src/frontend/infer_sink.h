// The way back of an inference request over HTTP: from whatever thread ends it to the exchange's
// loop.
#ifndef HEADRACE_FRONTEND_INFER_SINK_H_
#define HEADRACE_FRONTEND_INFER_SINK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model.h"
#include "engine/request_trace.h"
#include "engine/response_sink.h"
#include "net/event_loop.h"
#include "net/http.h"
#include "protocol/compression.h"
#include "protocol/v2_message.h"

namespace headrace::frontend {

struct Services;

// What of a request is needed again for its answer.
struct InferReplyPlan {
  std::string id;
  std::vector<protocol::V2RequestedOutput> outputs;  // empty = all
  bool binary_output_default = false;
  protocol::ContentCoding response_coding = protocol::ContentCoding::kIdentity;
  std::shared_ptr<engine::RequestTrace> trace = {};  // null: not traced
};

// The HTTP answer to a finished request: classification, encoding, compression, or the error that
// one of them or the model had. Writes the outputs that go to shared memory.
net::HttpResponse BuildInferResponse(const engine::Model& model, const InferReplyPlan& plan,
                                     const engine::InferResponse& response,
                                     const Services& services);

// The answer to a request that failed with `status`.
net::HttpResponse BuildInferError(const Status& status);

// Implements ResponseSink over one exchange. The state of the answer is a loop task from the
// beginning, so that Finish hands it to the loop without an allocation.
class HttpInferSink final : public engine::ResponseSink {
 public:
  // `services` are borrowed and outlive the exchange's loop.
  HttpInferSink(net::HttpExchangeRef exchange, engine::ModelHandle model, InferReplyPlan plan,
                const Services& services);
  // One that was never finished answers INTERNAL.
  ~HttpInferSink() override;

  Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) override;
  void Send(engine::InferResponse response) override;
  void Finish(Status status) override;
  bool Cancelled() const override { return exchange_->cancelled(); }

 private:
  class ReplyTask;

  const net::HttpExchangeRef exchange_;
  const Services& services_;
  std::unique_ptr<ReplyTask> reply_;  // null once finished: then it belongs to the loop
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_INFER_SINK_H_
