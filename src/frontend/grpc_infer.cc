#include "frontend/grpc_infer.h"

#include <utility>

#include "frontend/client_key.h"
#include "frontend/grpc_handlers.h"
#include "frontend/single_reply.h"

namespace headrace::frontend {
namespace {

protocol::V2ProtoLimits LimitsFor(const Services& services,
                                  const engine::ModelSignature& signature) {
  const TensorCounts counts = TensorCountsMax(signature);
  protocol::V2ProtoLimits limits;
  limits.input_count_max = counts.inputs;
  limits.output_count_max = counts.outputs;
  limits.converted_byte_size_max = services.InputByteSizeMax();
  return limits;
}

InferFailure FindTarget(GrpcContext& context, bool allow_decoupled, PreparedInfer& prepared) {
  Result<protocol::V2ProtoTarget> target =
      protocol::ReadProtoTarget(context.message, protocol::V2ProtoLimits());
  if (!target.ok()) {
    return {target.status()};
  }
  prepared.target = *std::move(target);
  if (prepared.target.model_name.empty()) {
    return {InvalidArgument("model_name: the request names no model")};
  }
  if (Status status = CheckGrpcVersion(prepared.target.model_version); !status.ok()) {
    return {std::move(status)};
  }
  Result<engine::ModelHandle> model = FindModel(
      prepared.target.model_name, prepared.target.model_version, context.loop.models.Get());
  if (!model.ok()) {
    return ModelFailure(model.status());
  }
  prepared.model = *std::move(model);
  if (prepared.model->options().decoupled && !allow_decoupled) {
    return {
        Unimplemented("ModelInfer RPC doesn't support models with decoupled transaction policy"),
        RefusalReason::kUnsupported};
  }
  return {};
}

Status ForwardMetadata(const GrpcContext& context, protocol::V2InferRequest& request) {
  const HeaderForwarder& forwarder = context.services.grpc_metadata;
  if (!forwarder.active()) {
    return OkStatus();
  }
  for (const auto& [name, value] : context.call->head().metadata) {
    HEADRACE_RETURN_IF_ERROR(forwarder.Forward(name, value, request));
  }
  return OkStatus();
}

InferFailure ReadRequest(GrpcContext& context, PreparedInfer& prepared) {
  Result<protocol::V2ProtoRequest> request = protocol::ParseProtoInferRequest(
      context.message, prepared.model->name(),
      LimitsFor(context.services, prepared.model->signature()), context.services.pool);
  if (!request.ok()) {
    return {request.status(), ParseFailureReason(request.status().code())};
  }
  prepared.request = *std::move(request);
  if (Status status = ForwardMetadata(context, prepared.request.message); !status.ok()) {
    return {std::move(status)};
  }
  return {BindSharedMemory(context.services, prepared.request.message)};
}

std::shared_ptr<engine::RequestTrace> BeginTrace(const GrpcContext& context,
                                                 const engine::Model& model) {
  if (!context.services.tracer.active()) {
    return nullptr;
  }
  auto trace = context.services.tracer.Begin(model.name(),
                                             MetadataValue(context.call->head(), "traceparent"));
  if (trace != nullptr) {
    trace->ReportCustom("GRPC_WAITREAD_START", context.call->begun());
    trace->ReportCustom("GRPC_WAITREAD_END", context.services.clock.Now());
  }
  return trace;
}

class InferReply final : public SingleReply {
 public:
  InferReply(net::GrpcCallRef call, engine::ModelHandle model, InferReplyPlan plan,
             const Services& services)
      : SingleReply(std::move(model), std::move(plan), services, "GRPC"), call_(std::move(call)) {}

 protected:
  bool Cancelled() const override { return call_->cancelled(); }

  void Answer() override {
    if (Status status = Outcome(); !status.ok()) {
      call_->Finish(FailureForClient(status));
      return;
    }
    Result<net::GrpcMessage> message = Build();
    if (message.ok()) {
      GrpcReply(*call_, *std::move(message));
    } else {
      call_->Finish(message.status());
    }
  }

 private:
  Result<net::GrpcMessage> Build() const {
    HEADRACE_ASSIGN_OR_RETURN(const ShapedReply shaped,
                              ShapeReply(model(), plan(), response(), services().shared_memory));
    return protocol::EncodeProtoInferResponse(shaped.message);
  }

  const net::GrpcCallRef call_;
};

class InferSink final : public SingleReplySink {
 public:
  InferSink(net::GrpcCallRef call, std::unique_ptr<SingleReply> reply, const Services& services)
      : SingleReplySink(std::move(reply), call->loop(), services), call_(std::move(call)) {}
  bool Cancelled() const override { return call_->cancelled(); }

 private:
  const net::GrpcCallRef call_;
};

}  // namespace

PreparedInfer PrepareGrpcInfer(GrpcContext& context, bool allow_decoupled) {
  PreparedInfer prepared;
  InferFailure failure = FindTarget(context, allow_decoupled, prepared);
  if (failure.status.ok()) {
    failure = ReadRequest(context, prepared);
  }
  if (failure.status.ok()) {
    prepared.trace = BeginTrace(context, *prepared.model);
  } else {
    CountRefusal(context.services, prepared.model.get(), failure.reason);
    prepared.status = std::move(failure.status);
  }
  return prepared;
}

void SubmitGrpcInfer(const GrpcContext& context, PreparedInfer prepared,
                     std::vector<std::string> wanted_outputs,
                     std::unique_ptr<engine::ResponseSink> sink) {
  InferSubmission submission;
  submission.request = std::move(prepared.request.message);
  submission.wanted_outputs = std::move(wanted_outputs);
  submission.trace = std::move(prepared.trace);
  submission.received = context.services.clock.Now();
  submission.deadline = context.call->deadline();
  submission.client = ClientKey(context.services.options, *context.call);
  SubmitInfer(std::move(prepared.model), std::move(submission), std::move(sink));
}

void GrpcModelInfer(GrpcContext& context) {
  PreparedInfer prepared = PrepareGrpcInfer(context, /*allow_decoupled=*/false);
  if (!prepared.status.ok()) {
    context.call->Finish(std::move(prepared.status));
    return;
  }
  InferReplyPlan plan = TakeReplyPlan(prepared.request.message);
  plan.trace = prepared.trace;
  std::vector<std::string> wanted = WantedOutputs(plan);
  auto reply =
      std::make_unique<InferReply>(context.call, prepared.model, std::move(plan), context.services);
  auto sink = std::make_unique<InferSink>(context.call, std::move(reply), context.services);
  SubmitGrpcInfer(context, std::move(prepared), std::move(wanted), std::move(sink));
}

}  // namespace headrace::frontend
