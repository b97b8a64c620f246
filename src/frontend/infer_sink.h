// The way back of an inference request over HTTP.
#ifndef HEADRACE_FRONTEND_INFER_SINK_H_
#define HEADRACE_FRONTEND_INFER_SINK_H_

#include <memory>

#include "engine/model.h"
#include "frontend/single_reply.h"
#include "net/http.h"
#include "protocol/compression.h"

namespace headrace::frontend {

// The answer to a request that failed with `status`.
net::HttpResponse BuildInferError(const Status& status);

// The sink of a request whose answer is a v2 inference response, compressed as `coding` says.
// `services` are borrowed and outlive the exchange's loop.
std::unique_ptr<engine::ResponseSink> MakeHttpInferSink(net::HttpExchangeRef exchange,
                                                        engine::ModelHandle model,
                                                        InferReplyPlan plan,
                                                        protocol::ContentCoding coding,
                                                        const Services& services);

// A sink whose reply answers `exchange` in its own way.
class HttpReplySink final : public SingleReplySink {
 public:
  HttpReplySink(net::HttpExchangeRef exchange, std::unique_ptr<SingleReply> reply,
                const Services& services)
      : SingleReplySink(std::move(reply), exchange->loop(), services),
        exchange_(std::move(exchange)) {}
  bool Cancelled() const override { return exchange_->cancelled(); }

 private:
  const net::HttpExchangeRef exchange_;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_INFER_SINK_H_
