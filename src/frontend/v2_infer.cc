// Inference: from a complete request to a submitted one.
#include "frontend/v2_infer.h"

#include <string>
#include <utility>

#include "frontend/client_key.h"
#include "frontend/header_forwarder.h"
#include "frontend/infer_sink.h"
#include "frontend/infer_submit.h"
#include "frontend/v2_handlers.h"
#include "protocol/compression.h"
#include "protocol/v2_json.h"

namespace headrace::frontend {
namespace {

using protocol::ContentCoding;

// What the head alone decides.
struct InferTarget {
  engine::ModelHandle model;
  ContentCoding coding = ContentCoding::kIdentity;
  std::optional<std::uint64_t> json_byte_size;
};

std::optional<InferFailure> ResolveTarget(const RouteMatch& match, const InferHeaders& headers,
                                          const net::HttpRequestHead& head,
                                          const engine::RegistrySnapshot& models,
                                          InferTarget& target) {
  Result<engine::ModelHandle> model = FindModel(match, models);
  if (!model.ok()) {
    return ModelFailure(model.status());
  }
  target.model = *std::move(model);
  if (target.model->options().decoupled) {
    return InferFailure{
        Unimplemented("HTTP end point doesn't support models with decoupled transaction policy"),
        RefusalReason::kUnsupported};
  }
  Result<ContentCoding> coding = headers.RequestCoding();
  if (!coding.ok()) {
    return InferFailure{coding.status(), RefusalReason::kEncoding};
  }
  target.coding = *coding;
  // A compressed body's length says nothing about where its JSON ends.
  Result<std::optional<std::uint64_t>> size = headers.JsonByteSize(
      target.coding == ContentCoding::kIdentity ? head.content_length : std::nullopt);
  if (!size.ok()) {
    return InferFailure{size.status(), RefusalReason::kMalformed};
  }
  target.json_byte_size = *size;
  return std::nullopt;
}

Refusal Count(Services& services, const engine::Model* model, const InferFailure& failure) {
  CountRefusal(services, model, failure.reason);
  Refusal refusal = RefusalOf(failure.status);
  if (failure.reason == RefusalReason::kEncoding) {
    refusal.status = 415;  // reliability row 38; Triton says 501 with the same text
    refusal.headers += "Accept-Encoding: gzip, deflate\r\n";
  }
  return refusal;
}

// The body as the parser wants it: plain.
Result<Buffer> PlainBody(Call& call, const InferTarget& target) {
  const Buffer& body = call.exchange->body();
  if (target.coding == ContentCoding::kIdentity) {
    return body;
  }
  return protocol::Inflate(body, target.coding, call.services.InputByteSizeMax(),
                           target.json_byte_size.value_or(0), call.services.pool);
}

protocol::V2JsonLimits LimitsFor(const Services& services,
                                 const engine::ModelSignature& signature) {
  const TensorCounts counts = TensorCountsMax(signature);
  protocol::V2JsonLimits limits;
  limits.json_byte_size_max = services.InputByteSizeMax();
  limits.input_count_max = counts.inputs;
  limits.output_count_max = counts.outputs;
  return limits;
}

// Inference-Header-Content-Length: 0 makes the whole body the model's one input.
Result<protocol::V2InferRequest> ParseRawBody(const Buffer& body, const engine::Model& model,
                                              const protocol::V2JsonLimits& limits,
                                              BlockPool& pool) {
  const std::vector<engine::TensorSpec>& inputs = model.signature().inputs;
  if (inputs.size() != 1) {
    return InvalidArgument(
        "Raw request must only have 1 input (found 1) to be deduced but got {} inputs in '{}' "
        "model configuration",
        inputs.size(), model.name());
  }
  const protocol::V2RawInput input{.name = inputs.front().name,
                                   .dtype = inputs.front().dtype,
                                   .dims = inputs.front().dims.dims(),
                                   .batched = model.signature().batch_size_max > 0};
  return protocol::ParseRawInferRequest(body, input, model.name(), limits, pool);
}

Result<protocol::V2InferRequest> ParseBody(Call& call, const InferTarget& target) {
  HEADRACE_ASSIGN_OR_RETURN(const Buffer body, PlainBody(call, target));
  if (target.json_byte_size && *target.json_byte_size > body.size()) {
    return InvalidArgument("inference header size should be in range (0, {}), got: {}", body.size(),
                           *target.json_byte_size);
  }
  const engine::Model& model = *target.model;
  const protocol::V2JsonLimits limits = LimitsFor(call.services, model.signature());
  if (target.json_byte_size == std::uint64_t{0}) {
    return ParseRawBody(body, model, limits, call.services.pool);
  }
  return call.loop.parser.ParseInferRequest(body, target.json_byte_size, model.name(), limits,
                                            call.services.pool);
}

Status ForwardHeaders(const Call& call, protocol::V2InferRequest& request) {
  const HeaderForwarder& forwarder = call.services.http_headers;
  if (!forwarder.active()) {
    return OkStatus();
  }
  for (const auto& [name, value] : call.exchange->head().headers) {
    HEADRACE_RETURN_IF_ERROR(forwarder.Forward(name, value, request));
  }
  return OkStatus();
}

void Submit(Call& call, InferTarget target, const InferHeaders& headers,
            protocol::V2InferRequest parsed) {
  InferReplyPlan plan = TakeReplyPlan(parsed);
  ContentCoding response_coding = ContentCoding::kIdentity;
  if (!headers.accept_encoding.empty()) {
    response_coding = protocol::ChooseResponseCoding(headers.accept_encoding);
  }
  InferSubmission submission;
  submission.request = std::move(parsed);
  submission.wanted_outputs = WantedOutputs(plan);
  submission.trace = BeginHttpTrace(call, *target.model);
  submission.received = call.exchange->received();
  submission.client = ClientKey(call.services.options, *call.exchange);
  plan.trace = submission.trace;
  auto sink = MakeHttpInferSink(std::move(call.exchange), target.model, std::move(plan),
                                response_coding, call.services);
  SubmitInfer(std::move(target.model), std::move(submission), std::move(sink));
}

}  // namespace

std::shared_ptr<engine::RequestTrace> BeginHttpTrace(const Call& call, const engine::Model& model) {
  if (!call.services.tracer.active()) {
    return nullptr;
  }
  const net::HttpExchange& exchange = *call.exchange;
  auto trace = call.services.tracer.Begin(
      model.name(), exchange.head().Header("traceparent").value_or(std::string_view()));
  if (trace != nullptr) {
    trace->ReportCustom("HTTP_RECV_START", exchange.begun());
    trace->ReportCustom("HTTP_RECV_END", exchange.received());
  }
  return trace;
}

std::optional<Refusal> RefuseInferEarly(Services& services, const RouteMatch& match,
                                        const net::HttpRequestHead& head,
                                        const engine::RegistrySnapshot& models) {
  InferTarget target;
  const std::optional<InferFailure> failure =
      ResolveTarget(match, InferHeaders::Of(head), head, models, target);
  if (!failure) {
    return std::nullopt;
  }
  return Count(services, target.model.get(), *failure);
}

void ServeInfer(Call& call) {
  const net::HttpRequestHead& head = call.exchange->head();
  const InferHeaders headers = InferHeaders::Of(head);
  InferTarget target;
  if (const std::optional<InferFailure> failure =
          ResolveTarget(call.match, headers, head, call.loop.models.Get(), target)) {
    Reply(*call.exchange, Count(call.services, target.model.get(), *failure));
    return;
  }
  Result<protocol::V2InferRequest> parsed = ParseBody(call, target);
  if (!parsed.ok()) {
    const InferFailure failure{parsed.status(), ParseFailureReason(parsed.status().code())};
    Reply(*call.exchange, Count(call.services, target.model.get(), failure));
    return;
  }
  Status status = ForwardHeaders(call, *parsed);
  if (status.ok()) {
    status = BindSharedMemory(call.services, *parsed);
  }
  if (!status.ok()) {
    Reply(*call.exchange,
          Count(call.services, target.model.get(), {std::move(status), RefusalReason::kMalformed}));
    return;
  }
  Submit(call, std::move(target), headers, *std::move(parsed));
}

}  // namespace headrace::frontend
