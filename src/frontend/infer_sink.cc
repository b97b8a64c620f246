#include "frontend/infer_sink.h"

#include <charconv>
#include <utility>

#include "frontend/call.h"
#include "frontend/replies.h"
#include "protocol/v2_json.h"

namespace headrace::frontend {
namespace {

// "Inference-Header-Content-Length: N\r\n"
void AppendJsonByteSize(std::string& headers, std::uint64_t json_byte_size) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), json_byte_size);
  headers.reserve(80);
  headers.append("Inference-Header-Content-Length: ").append(digits, end).append("\r\n");
}

// An answer that cannot be compressed goes out as it is.
void Compress(protocol::ContentCoding coding, BlockPool& pool, net::HttpResponse& response) {
  Result<Buffer> compressed = protocol::Deflate(response.body, coding, pool);
  if (!compressed.ok()) {
    return;
  }
  response.body.clear();
  response.body.push_back(*std::move(compressed));
  response.extra_headers.append(coding == protocol::ContentCoding::kGzip
                                    ? "Content-Encoding: gzip\r\n"
                                    : "Content-Encoding: deflate\r\n");
}

class InferReply final : public SingleReply {
 public:
  InferReply(net::HttpExchangeRef exchange, engine::ModelHandle model, InferReplyPlan plan,
             protocol::ContentCoding coding, const Services& services)
      : SingleReply(std::move(model), std::move(plan), services, "HTTP"),
        exchange_(std::move(exchange)),
        coding_(coding) {}

 protected:
  bool Cancelled() const override { return exchange_->cancelled(); }

  void Answer() override {
    Result<net::HttpResponse> answer = Build();
    exchange_->Respond(answer.ok() ? *std::move(answer) : BuildInferError(answer.status()));
  }

 private:
  Result<net::HttpResponse> Build() const {
    HEADRACE_RETURN_IF_ERROR(Outcome());
    HEADRACE_ASSIGN_OR_RETURN(const ShapedReply shaped,
                              ShapeReply(model(), plan(), response(), services().shared_memory));
    HEADRACE_ASSIGN_OR_RETURN(protocol::V2EncodedResponse encoded,
                              protocol::EncodeInferResponse(shaped.message));
    net::HttpResponse answer;
    answer.content_type = kJsonType;
    answer.body = std::move(encoded.body);
    if (encoded.json_byte_size) {
      answer.content_type = kBinaryType;
      AppendJsonByteSize(answer.extra_headers, *encoded.json_byte_size);
    }
    if (coding_ != protocol::ContentCoding::kIdentity) {
      Compress(coding_, services().pool, answer);
    }
    return answer;
  }

  const net::HttpExchangeRef exchange_;
  const protocol::ContentCoding coding_;
};

}  // namespace

net::HttpResponse BuildInferError(const Status& status) {
  Refusal refusal = RefusalOf(FailureForClient(status));
  net::HttpResponse response;
  response.status = refusal.status;
  response.content_type = kJsonType;
  response.extra_headers = std::move(refusal.headers);
  response.body.push_back(Buffer::FromString(std::move(refusal.json)));
  return response;
}

std::unique_ptr<engine::ResponseSink> MakeHttpInferSink(net::HttpExchangeRef exchange,
                                                        engine::ModelHandle model,
                                                        InferReplyPlan plan,
                                                        protocol::ContentCoding coding,
                                                        const Services& services) {
  auto reply =
      std::make_unique<InferReply>(exchange, std::move(model), std::move(plan), coding, services);
  return std::make_unique<HttpReplySink>(std::move(exchange), std::move(reply), services);
}

}  // namespace headrace::frontend
