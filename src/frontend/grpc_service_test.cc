// The methods of the gRPC services, without a transport.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "frontend/grpc_fixture.h"

namespace headrace::frontend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

FrontEndOptions WithReflection() {
  FrontEndOptions options;
  options.grpc_reflection = true;
  options.grpc_header_forward_pattern = "^x-";
  options.shared_memory.allowed = true;
  return options;
}

class GrpcServiceTest : public GrpcFixture {
 protected:
  GrpcServiceTest() : GrpcFixture(WithReflection()) {}
};

TEST_F(GrpcServiceTest, UnknownMethod_IsUnimplemented) {
  Status refusal;
  EXPECT_EQ(Open("/inference.GRPCInferenceService/Nothing", &refusal), nullptr);
  EXPECT_EQ(refusal.code(), StatusCode::kUnimplemented);
  EXPECT_EQ(Open("/", &refusal), nullptr);
  EXPECT_EQ(refusal.code(), StatusCode::kUnimplemented);
}

TEST_F(GrpcServiceTest, Health) {
  EXPECT_TRUE(
      Unary<inference::ServerLiveResponse>("ServerLive", inference::ServerLiveRequest())->live());
  EXPECT_TRUE(Unary<inference::ServerReadyResponse>("ServerReady", inference::ServerReadyRequest())
                  ->ready());
  Serve(IdentityOptions("m"));
  inference::ModelReadyRequest request;
  request.set_name("m");
  EXPECT_TRUE(Unary<inference::ModelReadyResponse>("ModelReady", request)->ready());
  request.set_version("2");
  EXPECT_FALSE(Unary<inference::ModelReadyResponse>("ModelReady", request)->ready());
  request.set_version("one");
  EXPECT_EQ(Unary<inference::ModelReadyResponse>("ModelReady", request).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(GrpcServiceTest, HealthCheckAndWatch_FollowTheReadiness) {
  using grpc::health::v1::HealthCheckResponse;
  const grpc::health::v1::HealthCheckRequest request;
  EXPECT_EQ(Unary<HealthCheckResponse>("/grpc.health.v1.Health/Check", request)->status(),
            HealthCheckResponse::SERVING);
  const auto watch = Open("/grpc.health.v1.Health/Watch");
  Send(watch, request);
  HealthCheckResponse seen;
  ASSERT_TRUE(seen.ParseFromString(watch->WaitMessages(1).at(0)));
  EXPECT_EQ(seen.status(), HealthCheckResponse::SERVING);
  front_end_.SetDraining();
  ASSERT_TRUE(seen.ParseFromString(watch->WaitMessages(2).at(1)));
  EXPECT_EQ(seen.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Unary<HealthCheckResponse>("/grpc.health.v1.Health/Check", request)->status(),
            HealthCheckResponse::NOT_SERVING);
  Cancel(watch);
}

TEST_F(GrpcServiceTest, Metadata) {
  Serve(IdentityOptions("m", 1));
  Serve(IdentityOptions("m", 3));
  const auto server = Unary<inference::ServerMetadataResponse>("ServerMetadata",
                                                               inference::ServerMetadataRequest());
  EXPECT_EQ(server->name(), "triton");
  EXPECT_THAT(server->extensions(), testing::Contains("binary_tensor_data"));
  inference::ModelMetadataRequest request;
  request.set_name("m");
  const auto model = Unary<inference::ModelMetadataResponse>("ModelMetadata", request);
  EXPECT_EQ(model->name(), "m");
  EXPECT_THAT(model->versions(), ElementsAre("1", "3"));
  EXPECT_EQ(model->platform(), "fake");
  ASSERT_EQ(model->inputs_size(), 1);
  EXPECT_EQ(model->inputs(0).datatype(), "FP32");
  EXPECT_THAT(model->inputs(0).shape(), ElementsAre(-1, -1));
  request.set_name("other");
  EXPECT_EQ(Unary<inference::ModelMetadataResponse>("ModelMetadata", request).status().code(),
            StatusCode::kNotFound);
}

TEST_F(GrpcServiceTest, ModelConfig_IsTheOneInForce) {
  engine::ModelOptions options = IdentityOptions("m");
  options.config_json =
      R"({"name":"m","max_batch_size":8,"backend":"identity","dynamic_batching":{"preferred_batch_size":[4]}})";
  Serve(std::move(options));
  inference::ModelConfigRequest request;
  request.set_name("m");
  const auto response = Unary<inference::ModelConfigResponse>("ModelConfig", request);
  ASSERT_TRUE(response.ok()) << response.status().message();
  EXPECT_EQ(response->config().max_batch_size(), 8);
  EXPECT_THAT(response->config().dynamic_batching().preferred_batch_size(), ElementsAre(4));
}

TEST_F(GrpcServiceTest, Infer_AnswersWithRawOutputs) {
  Serve(IdentityOptions("m"));
  const auto response =
      Unary<inference::ModelInferResponse>("ModelInfer", InferRequest("m", "7", {1, 2, 3}));
  ASSERT_TRUE(response.ok()) << response.status().message();
  EXPECT_EQ(response->model_name(), "m");
  EXPECT_EQ(response->model_version(), "1");
  EXPECT_EQ(response->id(), "7");
  ASSERT_EQ(response->outputs_size(), 1);
  EXPECT_EQ(response->outputs(0).name(), "OUTPUT0");
  EXPECT_THAT(response->outputs(0).shape(), ElementsAre(1, 3));
  EXPECT_EQ(response->raw_output_contents(0),
            InferRequest("m", "7", {1, 2, 3}).raw_input_contents(0));
}

TEST_F(GrpcServiceTest, Infer_TypedContents) {
  Serve(IdentityOptions("m"));
  auto request = InferRequest("m", "", {});
  request.clear_raw_input_contents();
  request.mutable_inputs(0)->set_shape(1, 2);
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1.5f);
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(2.5f);
  const auto response = Unary<inference::ModelInferResponse>("ModelInfer", request);
  ASSERT_TRUE(response.ok()) << response.status().message();
  const std::vector<float> values = {1.5f, 2.5f};
  EXPECT_EQ(response->raw_output_contents(0), InferRequest("m", "", values).raw_input_contents(0));
}

TEST_F(GrpcServiceTest, Infer_RefusalsHaveTheirCodes) {
  Serve(IdentityOptions("m"));
  engine::ModelOptions decoupled = IdentityOptions("d");
  decoupled.decoupled = true;
  Serve(std::move(decoupled));
  const auto failure = [this](const inference::ModelInferRequest& request) {
    return Unary<inference::ModelInferResponse>("ModelInfer", request).status();
  };
  EXPECT_EQ(failure(InferRequest("x", "")).code(), StatusCode::kNotFound);
  EXPECT_EQ(failure(InferRequest("", "")).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(failure(InferRequest("d", "")).code(), StatusCode::kUnimplemented);
  auto request = InferRequest("m", "");
  request.set_model_version("-1");
  EXPECT_EQ(failure(request).code(), StatusCode::kInvalidArgument);
  request.set_model_version("2");
  EXPECT_EQ(failure(request).code(), StatusCode::kNotFound);
  request.set_model_version("1");
  request.mutable_inputs(0)->set_name("INPUT9");
  EXPECT_THAT(failure(request).message(), HasSubstr("INPUT9"));
  EXPECT_EQ(UnaryBytes<inference::ModelInferResponse>("ModelInfer", "\xff\xff").status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(UnaryBytes<inference::ModelInferResponse>("ModelInfer", "").status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(GrpcServiceTest, Infer_ModelFailure_IsTheCallsStatus) {
  Serve(IdentityOptions("m"), [](engine::Batch batch) {
    for (auto& request : batch.requests) {
      request->Finish(Unavailable("later"), engine::FailureReason::kBackend);
    }
  });
  const Status status =
      Unary<inference::ModelInferResponse>("ModelInfer", InferRequest("m", "")).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "later");
}

TEST_F(GrpcServiceTest, Infer_ForwardsMetadataThatMatches) {
  std::promise<std::vector<Parameter>> seen;
  Serve(IdentityOptions("m"), [&](engine::Batch batch) {
    seen.set_value(batch.requests[0]->parameters);
    ExecuteIdentity(std::move(batch));
  });
  ASSERT_TRUE(Unary<inference::ModelInferResponse>("ModelInfer", InferRequest("m", ""),
                                                   {{"x-user", "me"}, {"other", "no"}})
                  .ok());
  const std::vector<Parameter> parameters = seen.get_future().get();
  ASSERT_EQ(parameters.size(), 1u);
  EXPECT_EQ(parameters[0].name, "x-user");
  EXPECT_EQ(std::get<std::string>(parameters[0].value), "me");
}

TEST_F(GrpcServiceTest, Statistics_CountTheRequests) {
  Serve(IdentityOptions("m"));
  ASSERT_TRUE(Unary<inference::ModelInferResponse>("ModelInfer", InferRequest("m", "")).ok());
  inference::ModelStatisticsRequest request;
  request.set_name("m");
  const auto response = Unary<inference::ModelStatisticsResponse>("ModelStatistics", request);
  ASSERT_EQ(response->model_stats_size(), 1);
  EXPECT_EQ(response->model_stats(0).inference_stats().success().count(), 1u);
  request.set_name("x");
  EXPECT_EQ(Unary<inference::ModelStatisticsResponse>("ModelStatistics", request).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(GrpcServiceTest, Repository_ChecksWhatItIsGiven) {
  const auto load = [this](const inference::RepositoryModelLoadRequest& request) {
    return Unary<inference::RepositoryModelLoadResponse>("RepositoryModelLoad", request).status();
  };
  inference::RepositoryModelLoadRequest request;
  request.set_model_name("m");
  request.set_repository_name("r");
  EXPECT_EQ(load(request).code(), StatusCode::kUnimplemented);
  request.clear_repository_name();
  (*request.mutable_parameters())["nothing"].set_string_param("x");
  EXPECT_EQ(load(request).message(), "unrecognized load parameter 'nothing'.");
  request.mutable_parameters()->clear();
  (*request.mutable_parameters())["config"].set_bytes_param("x");
  EXPECT_THAT(load(request).message(), HasSubstr("expected string_param"));
  request.mutable_parameters()->clear();
  (*request.mutable_parameters())["file:1/model"].set_bytes_param("x");
  EXPECT_THAT(load(request).message(), HasSubstr("'config' must be specified"));
  request.mutable_parameters()->clear();
  // The manager's own word: models are not loaded by call in this mode.
  EXPECT_THAT(load(request).message(), HasSubstr("explicit model load / unload is not allowed"));
  inference::RepositoryIndexRequest index;
  EXPECT_TRUE(Unary<inference::RepositoryIndexResponse>("RepositoryIndex", index).ok());
}

TEST_F(GrpcServiceTest, Settings_ShowAndChange) {
  inference::LogSettingsRequest log;
  (*log.mutable_settings())["log_verbose_level"].set_uint32_param(0);
  const auto shown = Unary<inference::LogSettingsResponse>("LogSettings", log);
  ASSERT_TRUE(shown.ok()) << shown.status().message();
  EXPECT_EQ(shown->settings().at("log_verbose_level").uint32_param(), 0u);
  EXPECT_EQ(shown->settings().at("log_format").string_param(), "default");
  (*log.mutable_settings())["log_format"].set_string_param("x");
  EXPECT_EQ(Unary<inference::LogSettingsResponse>("LogSettings", log).status().code(),
            StatusCode::kInvalidArgument);

  inference::TraceSettingRequest trace;
  (*trace.mutable_settings())["trace_rate"].add_value("5");
  const auto set = Unary<inference::TraceSettingResponse>("TraceSetting", trace);
  ASSERT_TRUE(set.ok()) << set.status().message();
  EXPECT_THAT(set->settings().at("trace_rate").value(), ElementsAre("5"));
  (*trace.mutable_settings())["trace_rate"].add_value("6");
  EXPECT_EQ(Unary<inference::TraceSettingResponse>("TraceSetting", trace).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(GrpcServiceTest, SharedMemory_OfUnknownRegions) {
  inference::SystemSharedMemoryStatusRequest status;
  EXPECT_TRUE(Unary<inference::SystemSharedMemoryStatusResponse>("SystemSharedMemoryStatus", status)
                  ->regions()
                  .empty());
  status.set_name("r");
  EXPECT_EQ(Unary<inference::SystemSharedMemoryStatusResponse>("SystemSharedMemoryStatus", status)
                .status()
                .code(),
            StatusCode::kNotFound);
  inference::CudaSharedMemoryRegisterRequest cuda;
  cuda.set_name("r");
  EXPECT_FALSE(
      Unary<inference::CudaSharedMemoryRegisterResponse>("CudaSharedMemoryRegister", cuda).ok());
  auto request = InferRequest("m", "");
  Serve(IdentityOptions("m"));
  request.clear_raw_input_contents();
  auto& parameters = *request.mutable_inputs(0)->mutable_parameters();
  parameters["shared_memory_region"].set_string_param("r");
  parameters["shared_memory_byte_size"].set_int64_param(8);
  EXPECT_EQ(Unary<inference::ModelInferResponse>("ModelInfer", request).status().code(),
            StatusCode::kNotFound);
}

TEST_F(GrpcServiceTest, Reflection_GivesTheFilesOfAllServices) {
  using grpc::reflection::v1::ServerReflectionRequest;
  using grpc::reflection::v1::ServerReflectionResponse;
  const auto stream = Open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
  ServerReflectionRequest request;
  request.set_list_services("");
  Send(stream, request);
  ServerReflectionResponse response;
  ASSERT_TRUE(response.ParseFromString(stream->WaitMessages(1).at(0)));
  EXPECT_EQ(response.list_services_response().service_size(), 3);
  request.set_file_containing_symbol("inference.GRPCInferenceService.ModelInfer");
  Send(stream, request);
  ASSERT_TRUE(response.ParseFromString(stream->WaitMessages(2).at(1)));
  EXPECT_EQ(response.file_descriptor_response().file_descriptor_proto_size(), 2);
  request.set_file_containing_symbol("google.protobuf.FileDescriptorProto");
  Send(stream, request);
  ASSERT_TRUE(response.ParseFromString(stream->WaitMessages(3).at(2)));
  EXPECT_EQ(response.error_response().error_code(), 5);
  HalfClose(stream);
  EXPECT_TRUE(stream->WaitStatus().ok());
}

class GrpcDefaultsTest : public GrpcFixture {};

TEST_F(GrpcDefaultsTest, Reflection_IsOff) {
  Status refusal;
  EXPECT_EQ(Open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &refusal), nullptr);
  EXPECT_EQ(refusal.code(), StatusCode::kUnimplemented);
}

TEST_F(GrpcDefaultsTest, Draining_RefusesInference) {
  Serve(IdentityOptions("m"));
  front_end_.SetDraining();
  const auto response = Unary<inference::ModelInferResponse>("ModelInfer", InferRequest("m", ""));
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(response.status().message(),
            "GRPC server is shutting down and has stopped accepting new requests.");
}

}  // namespace
}  // namespace headrace::frontend
