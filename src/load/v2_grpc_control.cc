#include "load/v2_grpc_control.h"

#include <string_view>
#include <utility>

#include "frontend/grpc_messages.h"
#include "load/load_reason.h"
#include "load/model_config_facts.h"
#include "load/v2_http_control.h"
#include "repository/config_json.h"

namespace headrace::load {
namespace {

constexpr Nanos kLoadTimeout = 600 * kSecond;

std::string MethodPath(std::string_view method) {
  return "/inference.GRPCInferenceService/" + std::string(method);
}

template <typename Answer>
Result<Answer> Ask(const GrpcUnary& grpc, std::string_view method,
                   const google::protobuf::MessageLite& request, Nanos timeout = 0) {
  const std::string path = MethodPath(method);
  HEADRACE_ASSIGN_OR_RETURN(const std::string bytes,
                            grpc.Call(path, request.SerializeAsString(), timeout));
  Answer answer;
  if (!answer.ParseFromString(bytes)) {
    return Internal("{}: the answer is no {}", grpc.Url(path), answer.GetTypeName());
  }
  return answer;
}

Result<std::vector<TensorFacts>> ReadTensors(
    const google::protobuf::RepeatedPtrField<inference::ModelMetadataResponse_TensorMetadata>&
        tensors,
    const std::string& url) {
  std::vector<TensorFacts> out;
  for (const auto& tensor : tensors) {
    TensorFacts facts;
    facts.name = tensor.name();
    facts.data_type = DataTypeFromName(tensor.datatype());
    if (facts.data_type == DataType::kInvalid) {
      return InvalidArgument("{}: '{}' has the datatype '{}', which is not known", url,
                             tensor.name(), tensor.datatype());
    }
    facts.shape.assign(tensor.shape().begin(), tensor.shape().end());
    out.push_back(std::move(facts));
  }
  return out;
}

ModelStatistics Convert(const inference::ModelStatistics& entry) {
  const inference::InferStatistics& stats = entry.inference_stats();
  ModelStatistics out;
  out.version = entry.version();
  out.inference_count = entry.inference_count();
  out.execution_count = entry.execution_count();
  out.success_count = stats.success().count();
  out.success_ns = stats.success().ns();
  out.fail_count = stats.fail().count();
  out.fail_ns = stats.fail().ns();
  out.queue_count = stats.queue().count();
  out.queue_ns = stats.queue().ns();
  out.compute_input_count = stats.compute_input().count();
  out.compute_input_ns = stats.compute_input().ns();
  out.compute_infer_count = stats.compute_infer().count();
  out.compute_infer_ns = stats.compute_infer().ns();
  out.compute_output_count = stats.compute_output().count();
  out.compute_output_ns = stats.compute_output().ns();
  out.cache_hit_count = stats.cache_hit().count();
  out.cache_hit_ns = stats.cache_hit().ns();
  out.cache_miss_count = stats.cache_miss().count();
  out.cache_miss_ns = stats.cache_miss().ns();
  for (const auto& batch : entry.batch_stats()) {
    out.batches[static_cast<std::int64_t>(batch.batch_size())] += batch.compute_infer().count();
  }
  return out;
}

}  // namespace

Result<ServerFacts> V2GrpcControl::Server() {
  HEADRACE_ASSIGN_OR_RETURN(const auto answer,
                            Ask<inference::ServerMetadataResponse>(
                                grpc_, "ServerMetadata", inference::ServerMetadataRequest()));
  return ServerFacts{
      answer.name(), answer.version(), {answer.extensions().begin(), answer.extensions().end()}};
}

Result<bool> V2GrpcControl::ModelReady(const std::string& model, const std::string& version) {
  inference::ModelReadyRequest request;
  request.set_name(model);
  request.set_version(version);
  const auto answer = Ask<inference::ModelReadyResponse>(grpc_, "ModelReady", request);
  if (!answer.ok() && answer.status().code() != StatusCode::kNotFound &&
      answer.status().code() != StatusCode::kInvalidArgument) {
    return answer.status();
  }
  return answer.ok() && answer->ready();
}

Result<ModelFacts> V2GrpcControl::Model(const std::string& model, const std::string& version) {
  inference::ModelMetadataRequest request;
  request.set_name(model);
  request.set_version(version);
  const auto asked = Ask<inference::ModelMetadataResponse>(grpc_, "ModelMetadata", request);
  if (!asked.ok()) {
    return WithLoadReason(asked.status(), *this, model, version);
  }
  const inference::ModelMetadataResponse& answer = *asked;
  const std::string url = grpc_.Url(MethodPath("ModelMetadata"));
  ModelFacts facts;
  facts.name = answer.name().empty() ? model : answer.name();
  facts.versions.assign(answer.versions().begin(), answer.versions().end());
  facts.platform = answer.platform();
  HEADRACE_ASSIGN_OR_RETURN(facts.inputs, ReadTensors(answer.inputs(), url));
  HEADRACE_ASSIGN_OR_RETURN(facts.outputs, ReadTensors(answer.outputs(), url));
  inference::ModelConfigRequest config_request;
  config_request.set_name(model);
  config_request.set_version(version);
  // A server need not have it.
  const auto config = Ask<inference::ModelConfigResponse>(grpc_, "ModelConfig", config_request);
  if (config.ok()) {
    HEADRACE_RETURN_IF_ERROR(AddConfig(repository::ConfigToJson(config->config()),
                                       grpc_.Url(MethodPath("ModelConfig")), facts));
  }
  return facts;
}

Result<std::map<std::string, std::vector<ModelStatistics>>> V2GrpcControl::Statistics(
    const std::string& model) {
  inference::ModelStatisticsRequest request;
  request.set_name(model);
  HEADRACE_ASSIGN_OR_RETURN(const auto answer, Ask<inference::ModelStatisticsResponse>(
                                                   grpc_, "ModelStatistics", request));
  std::map<std::string, std::vector<ModelStatistics>> out;
  for (const auto& entry : answer.model_stats()) {
    out[entry.name()].push_back(Convert(entry));
  }
  return out;
}

Result<std::vector<ModelState>> V2GrpcControl::Index() {
  HEADRACE_ASSIGN_OR_RETURN(const auto answer,
                            Ask<inference::RepositoryIndexResponse>(
                                grpc_, "RepositoryIndex", inference::RepositoryIndexRequest()));
  std::vector<ModelState> states;
  for (const auto& entry : answer.models()) {
    states.push_back({entry.name(), entry.version(), entry.state(), entry.reason()});
  }
  return states;
}

Status V2GrpcControl::Load(const std::string& model, const std::string& config_json) {
  inference::RepositoryModelLoadRequest request;
  request.set_model_name(model);
  if (!config_json.empty()) {
    (*request.mutable_parameters())["config"].set_string_param(config_json);
  }
  return Ask<inference::RepositoryModelLoadResponse>(grpc_, "RepositoryModelLoad", request,
                                                     kLoadTimeout)
      .status();
}

Status V2GrpcControl::Unload(const std::string& model) {
  inference::RepositoryModelUnloadRequest request;
  request.set_model_name(model);
  return Ask<inference::RepositoryModelUnloadResponse>(grpc_, "RepositoryModelUnload", request,
                                                       kLoadTimeout)
      .status();
}

Result<std::string> V2GrpcControl::Metrics() { return GetMetrics(metrics_.get(), metrics_path_); }

}  // namespace headrace::load
