// Health, metadata and configuration over gRPC.
#include <string>

#include "frontend/grpc_handlers.h"
#include "frontend/grpc_unary.h"
#include "frontend/model_descriptions.h"
#include "repository/config_json.h"

namespace headrace::frontend {
namespace {

// A process that answers is live, also while it drains.
Result<inference::ServerLiveResponse> ServerLive(GrpcContext&,
                                                 const inference::ServerLiveRequest&) {
  inference::ServerLiveResponse response;
  response.set_live(true);
  return response;
}

Result<inference::ServerReadyResponse> ServerReady(GrpcContext& context,
                                                   const inference::ServerReadyRequest&) {
  inference::ServerReadyResponse response;
  response.set_ready(ServerIsReady(context.services));
  return response;
}

Result<inference::ModelReadyResponse> ModelReady(GrpcContext& context,
                                                 const inference::ModelReadyRequest& request) {
  HEADRACE_RETURN_IF_ERROR(CheckGrpcVersion(request.version()));
  inference::ModelReadyResponse response;
  const auto model = FindModel(request.name(), request.version(), context.loop.models.Get());
  response.set_ready(model.ok() && (*model)->Health().ok());
  return response;
}

Result<inference::ServerMetadataResponse> ServerMetadata(GrpcContext& context,
                                                         const inference::ServerMetadataRequest&) {
  inference::ServerMetadataResponse response;
  response.set_name(context.services.options.server_id);
  response.set_version(context.services.options.server_version);
  for (const std::string_view extension : ServerExtensions()) {
    response.add_extensions(std::string(extension));
  }
  return response;
}

void FillTensors(
    const engine::ModelSignature& signature, const std::vector<engine::TensorSpec>& specs,
    google::protobuf::RepeatedPtrField<inference::ModelMetadataResponse::TensorMetadata>& tensors) {
  for (const engine::TensorSpec& spec : specs) {
    auto& tensor = *tensors.Add();
    tensor.set_name(spec.name);
    tensor.set_datatype(std::string(DataTypeName(spec.dtype)));
    for (const std::int64_t dim : signature.ClientShape(spec)) {
      tensor.add_shape(dim);
    }
  }
}

Result<inference::ModelMetadataResponse> ModelMetadata(
    GrpcContext& context, const inference::ModelMetadataRequest& request) {
  HEADRACE_RETURN_IF_ERROR(CheckGrpcVersion(request.version()));
  HEADRACE_ASSIGN_OR_RETURN(
      const ModelDescription description,
      DescribeModel(request.name(), request.version(), context.loop.models.Get()));
  const engine::Model& model = *description.model;
  inference::ModelMetadataResponse response;
  response.set_name(model.name());
  for (const std::int64_t version : description.versions) {
    response.add_versions(std::to_string(version));
  }
  response.set_platform(model.options().platform);
  FillTensors(model.signature(), model.signature().inputs, *response.mutable_inputs());
  FillTensors(model.signature(), model.signature().outputs, *response.mutable_outputs());
  return response;
}

Result<inference::ModelConfigResponse> ModelConfig(GrpcContext& context,
                                                   const inference::ModelConfigRequest& request) {
  HEADRACE_ASSIGN_OR_RETURN(
      const engine::ModelHandle model,
      FindGrpcModel(request.name(), request.version(), context.loop.models.Get()));
  inference::ModelConfigResponse response;
  HEADRACE_ASSIGN_OR_RETURN(*response.mutable_config(),
                            repository::ConfigFromJson(model->config_json()));
  return response;
}

}  // namespace

void GrpcServerLive(GrpcContext& context) {
  ServeUnary<inference::ServerLiveRequest, inference::ServerLiveResponse, ServerLive>(context);
}

void GrpcServerReady(GrpcContext& context) {
  ServeUnary<inference::ServerReadyRequest, inference::ServerReadyResponse, ServerReady>(context);
}

void GrpcModelReady(GrpcContext& context) {
  ServeUnary<inference::ModelReadyRequest, inference::ModelReadyResponse, ModelReady>(context);
}

void GrpcServerMetadata(GrpcContext& context) {
  ServeUnary<inference::ServerMetadataRequest, inference::ServerMetadataResponse, ServerMetadata>(
      context);
}

void GrpcModelMetadata(GrpcContext& context) {
  ServeUnary<inference::ModelMetadataRequest, inference::ModelMetadataResponse, ModelMetadata>(
      context);
}

void GrpcModelConfig(GrpcContext& context) {
  ServeUnary<inference::ModelConfigRequest, inference::ModelConfigResponse, ModelConfig>(context);
}

}  // namespace headrace::frontend
