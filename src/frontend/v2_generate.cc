// The generate extension (contracts, Triton 1.10).
#include <string>
#include <utility>
#include <vector>

#include "frontend/infer_headers.h"
#include "frontend/infer_sink.h"
#include "frontend/infer_submit.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
#include "frontend/v2_infer.h"
#include "protocol/compression.h"
#include "protocol/generate_json.h"

namespace headrace::frontend {
namespace {

constexpr std::string_view kOneResponse =
    "generate expects model to produce exactly 1 response, use generate stream for model that "
    "generates various number of responses";

Result<Buffer> PlainBody(const Call& call) {
  HEADRACE_ASSIGN_OR_RETURN(const protocol::ContentCoding coding,
                            InferHeaders::Of(call.exchange->head()).RequestCoding());
  const Buffer& body = call.exchange->body();
  if (coding == protocol::ContentCoding::kIdentity) {
    return body;
  }
  return protocol::Inflate(body, coding, call.services.InputByteSizeMax(), 0, call.services.pool);
}

Result<protocol::V2InferRequest> ParseBody(const Call& call, const engine::Model& model) {
  HEADRACE_ASSIGN_OR_RETURN(const Buffer body, PlainBody(call));
  const engine::ModelSignature& signature = model.signature();
  std::vector<protocol::GenerateInput> inputs;
  inputs.reserve(signature.inputs.size());
  for (const engine::TensorSpec& spec : signature.inputs) {
    inputs.push_back({.name = spec.name, .dtype = spec.dtype, .dims = signature.ClientShape(spec)});
  }
  protocol::V2JsonLimits limits;
  limits.json_byte_size_max = call.services.InputByteSizeMax();
  protocol::JsonCursor cursor;
  HEADRACE_ASSIGN_OR_RETURN(
      protocol::V2InferRequest request,
      protocol::ParseGenerateRequest(body.view(), inputs, limits, cursor, call.services.pool));
  if (call.services.http_headers.active()) {
    for (const auto& [name, value] : call.exchange->head().headers) {
      HEADRACE_RETURN_IF_ERROR(call.services.http_headers.Forward(name, value, request));
    }
  }
  return request;
}

class GenerateReply final : public SingleReply {
 public:
  GenerateReply(net::HttpExchangeRef exchange, engine::ModelHandle model, InferReplyPlan plan,
                const Services& services)
      : SingleReply(std::move(model), std::move(plan), services, "HTTP"),
        exchange_(std::move(exchange)) {}

 protected:
  bool Cancelled() const override { return exchange_->cancelled(); }

  void Answer() override {
    Result<std::string> json = Build();
    if (json.ok()) {
      ReplyJson(*exchange_, *std::move(json));
    } else {
      exchange_->Respond(BuildInferError(json.status()));
    }
  }

 private:
  Result<std::string> Build() const {
    HEADRACE_RETURN_IF_ERROR(Outcome(kOneResponse));
    HEADRACE_ASSIGN_OR_RETURN(const ShapedReply shaped,
                              ShapeReply(model(), plan(), response(), services().shared_memory));
    return protocol::EncodeGenerateResponse(shaped.message);
  }

  const net::HttpExchangeRef exchange_;
};

}  // namespace

void ServeGenerate(Call& call) {
  Result<engine::ModelHandle> model = FindModel(call.match, call.loop.models.Get());
  if (!model.ok()) {
    const InferFailure failure = ModelFailure(model.status());
    CountRefusal(call.services, nullptr, failure.reason);
    ReplyError(*call.exchange, failure.status);
    return;
  }
  Result<protocol::V2InferRequest> parsed = ParseBody(call, **model);
  if (!parsed.ok()) {
    CountRefusal(call.services, model->get(), ParseFailureReason(parsed.status().code()));
    ReplyError(*call.exchange, parsed.status());
    return;
  }
  InferReplyPlan plan = TakeReplyPlan(*parsed);
  InferSubmission submission;
  submission.request = *std::move(parsed);
  submission.trace = BeginHttpTrace(call, **model);
  submission.received = call.exchange->received();
  plan.trace = submission.trace;
  auto reply =
      std::make_unique<GenerateReply>(call.exchange, *model, std::move(plan), call.services);
  auto sink =
      std::make_unique<HttpReplySink>(std::move(call.exchange), std::move(reply), call.services);
  SubmitInfer(*std::move(model), std::move(submission), std::move(sink));
}

}  // namespace headrace::frontend
