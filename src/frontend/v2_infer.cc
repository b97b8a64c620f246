// Inference: from a complete request to a submitted one.
#include "frontend/v2_infer.h"

#include <string>
#include <utility>

#include "frontend/infer_sink.h"
#include "frontend/v2_handlers.h"
#include "protocol/compression.h"
#include "protocol/v2_json.h"

namespace headrace::frontend {
namespace {

using protocol::ContentCoding;

// A failure together with the reason under which it is counted.
struct Failure {
  Status status;
  RefusalReason reason = RefusalReason::kMalformed;
};

// What the head alone decides.
struct InferTarget {
  engine::ModelHandle model;
  ContentCoding coding = ContentCoding::kIdentity;
  std::optional<std::uint64_t> json_byte_size;
};

// The reason for a failure of reading the body.
RefusalReason BodyReason(StatusCode code) {
  return code == StatusCode::kResourceExhausted ? RefusalReason::kTooLarge
                                                : RefusalReason::kMalformed;
}

std::optional<Failure> ResolveTarget(const RouteMatch& match, const InferHeaders& headers,
                                     const net::HttpRequestHead& head,
                                     const engine::RegistrySnapshot& models, InferTarget& target) {
  Result<engine::ModelHandle> model = FindModel(match, models);
  if (!model.ok()) {
    const bool unknown = model.status().code() == StatusCode::kNotFound;
    return Failure{model.status(),
                   unknown ? RefusalReason::kUnknownModel : RefusalReason::kNotReady};
  }
  target.model = *std::move(model);
  if (target.model->options().decoupled) {
    return Failure{
        Unimplemented("HTTP end point doesn't support models with decoupled transaction policy"),
        RefusalReason::kUnsupported};
  }
  Result<ContentCoding> coding = headers.RequestCoding();
  if (!coding.ok()) {
    return Failure{coding.status(), RefusalReason::kEncoding};
  }
  target.coding = *coding;
  // A compressed body's length says nothing about where its JSON ends.
  Result<std::optional<std::uint64_t>> size = headers.JsonByteSize(
      target.coding == ContentCoding::kIdentity ? head.content_length : std::nullopt);
  if (!size.ok()) {
    return Failure{size.status(), RefusalReason::kMalformed};
  }
  target.json_byte_size = *size;
  return std::nullopt;
}

Refusal Count(Services& services, const engine::Model* model, const Failure& failure) {
  if (model == nullptr) {
    services.refusals.CountUnknown(failure.reason);
  } else {
    services.refusals.Count(model->name(), std::to_string(model->version()), failure.reason);
  }
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
  // A few more than the model declares, so that a small mistake is answered with the names that are
  // wrong.
  constexpr std::size_t kCountSlack = 16;
  protocol::V2JsonLimits limits;
  limits.json_byte_size_max = services.InputByteSizeMax();
  limits.input_count_max = signature.inputs.size() + kCountSlack;
  limits.output_count_max = signature.outputs.size() + kCountSlack;
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

// Fetches the inputs that lie in shared memory, and looks whether the outputs that go there can.
Status BindSharedMemory(const Services& services, protocol::V2InferRequest& request) {
  for (const protocol::V2SharedInput& shared : request.shared_inputs) {
    const protocol::V2SharedMemory& memory = shared.memory;
    HEADRACE_ASSIGN_OR_RETURN(
        request.inputs[shared.index].tensor.data,
        services.shared_memory.Read(memory.region, memory.offset, memory.byte_size, services.pool));
  }
  for (const protocol::V2RequestedOutput& output : request.outputs) {
    if (const auto& memory = output.shared_memory) {
      HEADRACE_RETURN_IF_ERROR(
          services.shared_memory.Check(memory->region, memory->offset, memory->byte_size));
    }
  }
  return OkStatus();
}

// Null for most requests.
std::shared_ptr<engine::RequestTrace> BeginTrace(const Call& call, const engine::Model& model) {
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

void Submit(Call& call, InferTarget target, const InferHeaders& headers,
            protocol::V2InferRequest parsed) {
  InferReplyPlan plan;
  plan.id = parsed.id;
  plan.binary_output_default = parsed.binary_output_default;
  if (!headers.accept_encoding.empty()) {
    plan.response_coding = protocol::ChooseResponseCoding(headers.accept_encoding);
  }
  std::vector<std::string> wanted;
  wanted.reserve(parsed.outputs.size());
  for (const protocol::V2RequestedOutput& output : parsed.outputs) {
    wanted.push_back(output.name);
  }
  plan.outputs = std::move(parsed.outputs);

  // `target` keeps the model alive through Submit, whatever becomes of the request.
  engine::Model& model = *target.model;
  const Nanos received = call.exchange->received();
  std::shared_ptr<engine::RequestTrace> trace = BeginTrace(call, model);
  plan.trace = trace;
  auto sink = std::make_unique<HttpInferSink>(std::move(call.exchange), target.model,
                                              std::move(plan), call.services);
  auto request = std::make_unique<engine::InferRequest>(target.model, std::move(sink));
  request->id = std::move(parsed.id);
  request->inputs = std::move(parsed.inputs);
  request->wanted_outputs = std::move(wanted);
  request->parameters = std::move(parsed.parameters);
  request->priority = parsed.priority;
  request->timeout_us = parsed.timeout_us;
  request->correlation_id = parsed.correlation_id;
  request->correlation_id_text = std::move(parsed.correlation_id_text);
  request->sequence_flags = parsed.sequence_flags;
  request->times.received = received;
  request->trace = std::move(trace);
  model.Submit(std::move(request));
}

}  // namespace

std::optional<Refusal> RefuseInferEarly(Services& services, const RouteMatch& match,
                                        const net::HttpRequestHead& head,
                                        const engine::RegistrySnapshot& models) {
  InferTarget target;
  const std::optional<Failure> failure =
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
  if (const std::optional<Failure> failure =
          ResolveTarget(call.match, headers, head, call.loop.models.Get(), target)) {
    Reply(*call.exchange, Count(call.services, target.model.get(), *failure));
    return;
  }
  Result<protocol::V2InferRequest> parsed = ParseBody(call, target);
  if (!parsed.ok()) {
    const Failure failure{parsed.status(), BodyReason(parsed.status().code())};
    Reply(*call.exchange, Count(call.services, target.model.get(), failure));
    return;
  }
  if (Status status = BindSharedMemory(call.services, *parsed); !status.ok()) {
    Reply(*call.exchange,
          Count(call.services, target.model.get(), {std::move(status), RefusalReason::kMalformed}));
    return;
  }
  Submit(call, std::move(target), headers, *std::move(parsed));
}

}  // namespace headrace::frontend
