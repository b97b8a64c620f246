#include "frontend/generate_request.h"

#include <utility>
#include <vector>

#include "frontend/client_key.h"
#include "frontend/infer_headers.h"
#include "frontend/replies.h"
#include "frontend/v2_infer.h"
#include "protocol/compression.h"
#include "protocol/generate_json.h"

namespace headrace::frontend {
namespace {

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

}  // namespace

std::optional<PreparedGenerate> PrepareGenerate(Call& call) {
  Result<engine::ModelHandle> model = FindModel(call.match, call.loop.models.Get());
  if (!model.ok()) {
    const InferFailure failure = ModelFailure(model.status());
    CountRefusal(call.services, nullptr, failure.reason);
    ReplyError(*call.exchange, failure.status);
    return std::nullopt;
  }
  Result<protocol::V2InferRequest> parsed = ParseBody(call, **model);
  if (!parsed.ok()) {
    CountRefusal(call.services, model->get(), ParseFailureReason(parsed.status().code()));
    ReplyError(*call.exchange, parsed.status());
    return std::nullopt;
  }
  PreparedGenerate prepared;
  prepared.plan = TakeReplyPlan(*parsed);
  prepared.submission.request = *std::move(parsed);
  prepared.submission.trace = BeginHttpTrace(call, **model);
  prepared.submission.received = call.exchange->received();
  prepared.submission.client = ClientKey(call.services.options, *call.exchange);
  prepared.plan.trace = prepared.submission.trace;
  prepared.model = *std::move(model);
  return prepared;
}

}  // namespace headrace::frontend
