// org.pytorch.serve.grpc.openinference.GRPCInferenceService (contracts, TorchServe 4.4).
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "frontend/grpc_unary.h"
#include "frontend/predictions.h"
#include "torchserve/apis.h"
#include "torchserve/grpc_errors.h"
#include "torchserve/grpc_messages.h"
#include "torchserve/grpc_method.h"
#include "torchserve/grpc_prediction.h"
#include "torchserve/open_inference_json.h"
#include "torchserve/readiness.h"

namespace headrace::torchserve {
namespace {

namespace oip = org::pytorch::serve::grpc::openinference;

// Answers with what `Handle` makes of the request, at once.
template <typename Request, typename Response,
          Result<Response> (*Handle)(GrpcApiCall&, const Request&)>
void ServeUnary(GrpcApiCall& call) {
  Request request;
  if (Status status = frontend::ParseGrpcMessage(call.message, request); !status.ok()) {
    call.call->Finish(std::move(status));
    return;
  }
  Result<Response> response = Handle(call, request);
  if (response.ok()) {
    frontend::GrpcReply(*call.call, frontend::EncodeGrpcMessage(*response));
  } else {
    call.call->Finish(response.status());
  }
}

Result<oip::ServerLiveResponse> Live(GrpcApiCall&, const oip::ServerLiveRequest&) {
  oip::ServerLiveResponse response;
  response.set_live(true);
  return response;
}

Result<oip::ServerReadyResponse> Ready(GrpcApiCall& call, const oip::ServerReadyRequest&) {
  oip::ServerReadyResponse response;
  response.set_ready(IsReady(call.api, call.services));
  return response;
}

Result<oip::ServerMetadataResponse> ServerMetadata(GrpcApiCall& call,
                                                   const oip::ServerMetadataRequest&) {
  oip::ServerMetadataResponse response;
  response.set_name("Torchserve");
  response.set_version(call.api.options.version);
  for (const char* extension : {"kserve", "kubeflow"}) {
    response.add_extensions(extension);
  }
  return response;
}

Result<engine::ModelHandle> Find(GrpcApiCall& call, const std::string& name,
                                 const std::string& version) {
  engine::ModelHandle model;
  if (const auto error = frontend::FindHandler(name, version, call.loop.models.Get(), model)) {
    return Status(error->code == 404 ? StatusCode::kNotFound : GrpcCodeOf(error->code),
                  error->message);
  }
  return model;
}

Result<oip::ModelReadyResponse> ModelReady(GrpcApiCall& call,
                                           const oip::ModelReadyRequest& request) {
  oip::ModelReadyResponse response;
  const auto model = Find(call, request.name(), request.version());
  if (!model.ok() && model.status().code() != StatusCode::kUnavailable) {
    return model.status();
  }
  response.set_ready(model.ok() && (*model)->Health().ok() && (*model)->instance_count() > 0);
  return response;
}

// The lists of tensors are empty: a handler has none.
Result<oip::ModelMetadataResponse> ModelMetadata(GrpcApiCall& call,
                                                 const oip::ModelMetadataRequest& request) {
  HEADRACE_ASSIGN_OR_RETURN(const engine::ModelHandle model,
                            Find(call, request.name(), request.version()));
  oip::ModelMetadataResponse response;
  response.set_name(model->name());
  for (const store::ModelFacts& facts : call.api.store.Describe(model->name(), "all").models) {
    response.add_versions(facts.version);
  }
  response.set_platform("pytorch");
  return response;
}

class InferReceiver final : public GrpcPredictionReceiver {
 public:
  explicit InferReceiver(net::GrpcCallRef call) : call_(std::move(call)) {}

  void OnPiece(std::vector<Buffer> body) override {
    for (const Buffer& buffer : body) {
      text_.append(buffer.view());
    }
  }
  void OnEnd(Status status, std::vector<Buffer> body) override {
    if (!status.ok()) {
      call_->Finish(std::move(status));
      return;
    }
    OnPiece(std::move(body));
    auto response = ParseOpenInferenceJson(text_);
    if (response.ok()) {
      frontend::GrpcReply(*call_, frontend::EncodeGrpcMessage(*response));
    } else {
      call_->Finish(response.status());
    }
  }

 private:
  const net::GrpcCallRef call_;
  std::string text_;
};

void ModelInfer(GrpcApiCall& call) {
  oip::ModelInferRequest request;
  if (Status status = frontend::ParseGrpcMessage(call.message, request); !status.ok()) {
    call.call->Finish(std::move(status));
    return;
  }
  Result<std::string> json = OpenInferenceJson(request);
  if (!json.ok()) {
    call.call->Finish(json.status());
    return;
  }
  GrpcPrediction prediction{
      .model_name = request.model_name(), .model_version = request.model_version(), .content = {}};
  prediction.content.parts.push_back(
      {.name = "body", .type = "application/json", .offset = 0, .byte_size = json->size()});
  prediction.content.data.data = Buffer::FromString(*std::move(json));
  SubmitPrediction(call, std::move(prediction), std::make_shared<InferReceiver>(call.call));
}

constexpr GrpcMethod kMethods[] = {
    {.path = "/org.pytorch.serve.grpc.openinference.GRPCInferenceService/ModelInfer",
     .takes_prediction = true,
     .handler = ModelInfer},
    {.path = "/org.pytorch.serve.grpc.openinference.GRPCInferenceService/ServerLive",
     .handler = ServeUnary<oip::ServerLiveRequest, oip::ServerLiveResponse, Live>},
    {.path = "/org.pytorch.serve.grpc.openinference.GRPCInferenceService/ServerReady",
     .handler = ServeUnary<oip::ServerReadyRequest, oip::ServerReadyResponse, Ready>},
    {.path = "/org.pytorch.serve.grpc.openinference.GRPCInferenceService/ServerMetadata",
     .handler =
         ServeUnary<oip::ServerMetadataRequest, oip::ServerMetadataResponse, ServerMetadata>},
    {.path = "/org.pytorch.serve.grpc.openinference.GRPCInferenceService/ModelReady",
     .handler = ServeUnary<oip::ModelReadyRequest, oip::ModelReadyResponse, ModelReady>},
    {.path = "/org.pytorch.serve.grpc.openinference.GRPCInferenceService/ModelMetadata",
     .handler = ServeUnary<oip::ModelMetadataRequest, oip::ModelMetadataResponse, ModelMetadata>},
};

}  // namespace

std::span<const GrpcMethod> GrpcOpenInferenceMethods() { return kMethods; }

}  // namespace headrace::torchserve
