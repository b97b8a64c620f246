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

#include "base/clock.h"
#include "engine/model.h"
#include "engine/response_sink.h"
#include "net/event_loop.h"
#include "net/http.h"
#include "protocol/compression.h"
#include "protocol/v2_message.h"
#include "tensor/block_pool.h"

namespace headrace::frontend {

// What of a request is needed again for its answer.
struct InferReplyPlan {
  std::string id;
  std::vector<protocol::V2RequestedOutput> outputs;  // empty = all
  bool binary_output_default = false;
  protocol::ContentCoding response_coding = protocol::ContentCoding::kIdentity;
};

// The HTTP answer to a finished request: classification, encoding, compression, or the error that
// one of them or the model had. A pure function but for the memory it takes.
net::HttpResponse BuildInferResponse(const engine::Model& model, const InferReplyPlan& plan,
                                     const engine::InferResponse& response, BlockPool& pool);

// The answer to a request that failed with `status`.
net::HttpResponse BuildInferError(const Status& status);

// Implements ResponseSink over one exchange. The state of the answer is a loop task from the
// beginning, so that Finish hands it to the loop without an allocation.
class HttpInferSink final : public engine::ResponseSink {
 public:
  // `pool` and `clock` are borrowed and outlive the exchange's loop.
  HttpInferSink(net::HttpExchangeRef exchange, engine::ModelHandle model, InferReplyPlan plan,
                BlockPool& pool, const Clock& clock);
  // One that was never finished answers INTERNAL.
  ~HttpInferSink() override;

  Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) override;
  void Send(engine::InferResponse response) override;
  void Finish(Status status) override;
  bool Cancelled() const override { return exchange_->cancelled(); }

 private:
  class ReplyTask;

  const net::HttpExchangeRef exchange_;
  BlockPool& pool_;
  std::unique_ptr<ReplyTask> reply_;  // null once finished: then it belongs to the loop
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_INFER_SINK_H_
