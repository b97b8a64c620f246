#include "load/server_control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/grpc_messages.h"
#include "load/testing/scripted_server.h"
#include "load/torchserve_control.h"

namespace headrace::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ScriptedAnswer;
using testing::ScriptedRequest;
using testing::ScriptedServer;

constexpr const char* kMetadata =
    R"({"name":"m","versions":["1","2"],"platform":"onnxruntime_onnx",
        "inputs":[{"name":"IN","datatype":"FP32","shape":[-1,3,224]}],
        "outputs":[{"name":"OUT","datatype":"BYTES","shape":[-1]}]})";
constexpr const char* kConfig =
    R"({"name":"m","max_batch_size":8,"model_transaction_policy":{"decoupled":true},
        "sequence_batching":{},"ensemble_scheduling":{"step":[{"model_name":"a"},{"model_name":"b"}]}})";
constexpr const char* kStatistics =
    R"({"model_stats":[{"name":"m","version":"1","inference_count":10,"execution_count":4,
        "inference_stats":{"success":{"count":10,"ns":1000},"fail":{"count":1,"ns":5},
        "queue":{"count":10,"ns":300},"compute_infer":{"count":10,"ns":600}},
        "batch_stats":[{"batch_size":1,"compute_infer":{"count":2,"ns":5}},
                       {"batch_size":4,"compute_infer":{"count":2,"ns":9}}]}]})";

std::unique_ptr<ServerControl> Control(const ScriptedServer& server, Protocol protocol) {
  ControlSpec spec;
  spec.target = server.target();
  spec.target.protocol = protocol;
  spec.metrics_url = server.Url("/metrics");
  spec.management_url = server.Url("");
  auto control = MakeServerControl(spec);
  EXPECT_TRUE(control.ok()) << control.status().ToString();
  return std::move(control).value();
}

ScriptedAnswer V2(const ScriptedRequest& request) {
  const std::string& path = request.target;
  if (path == "/v2") {
    return {200, R"({"name":"triton","version":"2.60","extensions":["statistics"]})", {}};
  }
  if (path == "/v2/models/m" || path == "/v2/models/m/versions/2") {
    return {200, kMetadata, {}};
  }
  if (path.ends_with("/config")) {
    return {200, kConfig, {}};
  }
  if (path.ends_with("/stats")) {
    return {200, kStatistics, {}};
  }
  if (path == "/v2/models/m/ready" || path.ends_with("load")) {
    return {200, "", {}};
  }
  if (path == "/v2/repository/index") {
    return {200, R"([{"name":"m","version":"1","state":"READY","reason":""},{"name":"n"}])", {}};
  }
  if (path == "/metrics") {
    return {200, "nv_inference_count 3\n", {}};
  }
  return {404, R"({"error":"no such thing"})", {}};
}

TEST(ServerControlTest, V2Http_ReadsWhatModelsAre) {
  const ScriptedServer server(&V2);
  const auto control = Control(server, Protocol::kV2Http);
  const auto facts = control->Model("m", "2");
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts->platform, "onnxruntime_onnx");
  EXPECT_THAT(facts->versions, ElementsAre("1", "2"));
  ASSERT_EQ(facts->inputs.size(), 1u);
  EXPECT_EQ(facts->inputs[0].name, "IN");
  EXPECT_EQ(facts->inputs[0].data_type, DataType::kFp32);
  EXPECT_THAT(facts->inputs[0].shape, ElementsAre(-1, 3, 224));
  EXPECT_EQ(facts->outputs[0].data_type, DataType::kBytes);
  EXPECT_EQ(facts->batch_size_max, 8);
  EXPECT_TRUE(facts->decoupled);
  EXPECT_TRUE(facts->sequences);
  EXPECT_THAT(facts->composing_models, ElementsAre("a", "b"));
  EXPECT_EQ(facts->config_json, kConfig);
}

TEST(ServerControlTest, V2Http_ReadsServerStatisticsIndexAndMetrics) {
  const ScriptedServer server(&V2);
  const auto control = Control(server, Protocol::kV2Http);
  const auto facts = control->Server();
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->name, "triton");
  EXPECT_THAT(facts->extensions, ElementsAre("statistics"));
  const auto statistics = control->Statistics("");
  ASSERT_TRUE(statistics.ok()) << statistics.status().ToString();
  ASSERT_EQ(statistics->at("m").size(), 1u);
  const ModelStatistics& of_m = statistics->at("m")[0];
  EXPECT_EQ(of_m.inference_count, 10u);
  EXPECT_EQ(of_m.fail_ns, 5u);
  EXPECT_EQ(of_m.queue_ns, 300u);
  EXPECT_EQ(of_m.batches, (std::map<std::int64_t, std::uint64_t>{{1, 2}, {4, 2}}));
  const auto index = control->Index();
  ASSERT_TRUE(index.ok());
  ASSERT_EQ(index->size(), 2u);
  EXPECT_EQ((*index)[0].state, "READY");
  EXPECT_EQ((*index)[1].state, "");
  EXPECT_EQ(*control->ModelReady("m", ""), true);
  EXPECT_EQ(*control->ModelReady("other", ""), false);
  EXPECT_EQ(*control->Metrics(), "nv_inference_count 3\n");
}

TEST(ServerControlTest, V2Http_LoadsWithAConfigurationAndUnloads) {
  const ScriptedServer server(&V2);
  const auto control = Control(server, Protocol::kV2Http);
  EXPECT_TRUE(control->Load("m n", R"({"max_batch_size":4})").ok());
  EXPECT_TRUE(control->Unload("m").ok());
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].target, "/v2/repository/models/m%20n/load");
  EXPECT_EQ(requests[0].body, R"({"parameters":{"config":"{\"max_batch_size\":4}"}})");
  EXPECT_EQ(requests[1].target, "/v2/repository/models/m/unload");
}

TEST(ServerControlTest, V2Http_FailuresNameTheUrlAndTheServersWords) {
  const ScriptedServer server(&V2);
  const auto facts = Control(server, Protocol::kV2Http)->Model("x", "");
  EXPECT_EQ(facts.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(facts.status().message(), HasSubstr(server.Url("/v2/models/x")));
  EXPECT_THAT(facts.status().message(), HasSubstr("no such thing"));
}

TEST(ServerControlTest, V2Http_AModelThatDidNotLoad_IsNamedWithTheReason) {
  const ScriptedServer server([](const ScriptedRequest& request) {
    return request.target == "/v2/repository/index"
               ? ScriptedAnswer{200,
                                R"([{"name":"m","version":"1","state":"UNAVAILABLE","reason":"no handler"},
                                    {"name":"n","version":"1","state":"UNAVAILABLE","reason":"other"}])",
                                {}}
               : ScriptedAnswer{400, R"({"error":"'m' is not at ready state"})", {}};
  });
  const auto facts = Control(server, Protocol::kV2Http)->Model("m", "");
  ASSERT_FALSE(facts.ok());
  EXPECT_THAT(facts.status().message(), ::testing::AllOf(HasSubstr("not at ready state"),
                                                         HasSubstr("did not load: no handler"),
                                                         ::testing::Not(HasSubstr("other"))));
}

TEST(ServerControlTest, V2Http_RefusesAnswersThatAreNone) {
  for (const char* body :
       {"", "[]", "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP99\"}]}",
        "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-7]}]}", "<html>"}) {
    const ScriptedServer server([&](const ScriptedRequest&) {
      return ScriptedAnswer{200, body, {}};
    });
    const auto facts = Control(server, Protocol::kV2Http)->Model("m", "");
    EXPECT_EQ(facts.status().code(), StatusCode::kInvalidArgument) << body;
  }
}

TEST(ServerControlTest, NothingListens_IsUnavailableAndNamesTheUrl) {
  ControlSpec spec;
  {
    const ScriptedServer gone(&V2);
    spec.target = gone.target();
  }
  const auto control = MakeServerControl(spec);
  ASSERT_TRUE(control.ok());
  const auto facts = (*control)->Server();
  EXPECT_EQ(facts.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(facts.status().message(), HasSubstr(fmt::format(":{}/v2", spec.target.port)));
  spec.target.protocol = Protocol::kV2Grpc;
  const auto grpc = MakeServerControl(spec);
  ASSERT_TRUE(grpc.ok());
  EXPECT_EQ((*grpc)->Server().status().code(), StatusCode::kUnavailable);
}

ScriptedAnswer V2Grpc(const ScriptedRequest& request) {
  const std::string method = request.target.substr(request.target.rfind('/') + 1);
  if (method == "ServerMetadata") {
    inference::ServerMetadataResponse answer;
    answer.set_name("triton");
    return {200, answer.SerializeAsString(), {}};
  }
  if (method == "ModelMetadata") {
    inference::ModelMetadataRequest asked;
    asked.ParseFromString(request.body);
    if (asked.name() != "m") {
      return {200, "", NotFound("unknown model: 100% '{}'", asked.name())};
    }
    inference::ModelMetadataResponse answer;
    answer.set_name("m");
    auto* input = answer.add_inputs();
    input->set_name("IN");
    input->set_datatype("INT64");
    input->add_shape(-1);
    return {200, answer.SerializeAsString(), {}};
  }
  if (method == "ModelConfig") {
    inference::ModelConfigResponse answer;
    answer.mutable_config()->set_max_batch_size(16);
    return {200, answer.SerializeAsString(), {}};
  }
  if (method == "ModelStatistics") {
    inference::ModelStatisticsResponse answer;
    auto* entry = answer.add_model_stats();
    entry->set_name("m");
    entry->mutable_inference_stats()->mutable_success()->set_ns(7);
    auto* batch = entry->add_batch_stats();
    batch->set_batch_size(3);
    batch->mutable_compute_infer()->set_count(2);
    return {200, answer.SerializeAsString(), {}};
  }
  if (method == "RepositoryIndex") {
    inference::RepositoryIndexResponse answer;
    answer.add_models()->set_state("READY");
    return {200, answer.SerializeAsString(), {}};
  }
  return {200, "", {}};
}

TEST(ServerControlTest, V2Grpc_AsksTheSameByCalls) {
  const ScriptedServer server(&V2Grpc);
  const auto control = Control(server, Protocol::kV2Grpc);
  const auto facts = control->Model("m", "");
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  ASSERT_EQ(facts->inputs.size(), 1u);
  EXPECT_EQ(facts->inputs[0].data_type, DataType::kInt64);
  EXPECT_EQ(facts->batch_size_max, 16);
  EXPECT_THAT(facts->config_json, HasSubstr("\"max_batch_size\":16"));
  EXPECT_EQ(control->Server()->name, "triton");
  const auto statistics = control->Statistics("m");
  ASSERT_TRUE(statistics.ok()) << statistics.status().ToString();
  EXPECT_EQ(statistics->at("m")[0].success_ns, 7u);
  EXPECT_EQ(statistics->at("m")[0].batches.at(3), 2u);
  EXPECT_EQ(control->Index()->at(0).state, "READY");
  EXPECT_TRUE(control->Load("m", R"({"max_batch_size":4})").ok());
  inference::RepositoryModelLoadRequest load;
  ASSERT_TRUE(load.ParseFromString(server.requests().back().body));
  EXPECT_EQ(load.parameters().at("config").string_param(), R"({"max_batch_size":4})");
  EXPECT_TRUE(control->Unload("m").ok());
}

TEST(ServerControlTest, V2Grpc_FailuresHaveTheCallsCodeAndWords) {
  const ScriptedServer server(&V2Grpc);
  const auto facts = Control(server, Protocol::kV2Grpc)->Model("x", "");
  EXPECT_EQ(facts.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(facts.status().message(), HasSubstr("ModelMetadata: unknown model: 100% 'x'"));
}

TEST(ServerControlTest, V2Grpc_AnswersThatAreNoMessageAreRefused) {
  const ScriptedServer server([](const ScriptedRequest&) {
    return ScriptedAnswer{200, "\xff\xff\xff", {}};
  });
  EXPECT_EQ(Control(server, Protocol::kV2Grpc)->Server().status().code(), StatusCode::kInternal);
}

TEST(ServerControlTest, V1_SaysWhetherAModelIsReady) {
  const ScriptedServer server([](const ScriptedRequest& request) -> ScriptedAnswer {
    if (request.target == "/v1/models/kserve") {
      return {200, R"({"name":"kserve","ready":"True"})", {}};
    }
    if (request.target == "/v1/models/serving") {
      return {200, R"({"model_version_status":[{"version":"3","state":"AVAILABLE"}]})", {}};
    }
    if (request.target == "/v1/models") {
      return {200, R"({"models":["kserve","serving"]})", {}};
    }
    return {404, "", {}};
  });
  const auto control = Control(server, Protocol::kV1);
  EXPECT_TRUE(*control->ModelReady("kserve", ""));
  EXPECT_TRUE(*control->ModelReady("serving", "3"));
  EXPECT_FALSE(*control->ModelReady("serving", "4"));
  EXPECT_FALSE(*control->ModelReady("other", ""));
  EXPECT_EQ(control->Index()->size(), 2u);
  EXPECT_EQ(control->Model("kserve", "").status().code(), StatusCode::kUnimplemented);
}

TEST(ServerControlTest, V1_OfAServerThatOnlyPredicts_KnowsNoReadiness) {
  const ScriptedServer server([](const ScriptedRequest&) -> ScriptedAnswer {
    return {404, "", {}};
  });
  EXPECT_EQ(Control(server, Protocol::kV1)->ModelReady("m", "").status().code(),
            StatusCode::kUnimplemented);
}

ScriptedAnswer Management(const ScriptedRequest& request) {
  const std::string& target = request.target;
  if (target == "/ping") {
    return {200, R"({"status":"Healthy"})", {}};
  }
  if (target == "/api-description") {
    return {200, R"({"openapi":"3.0.1","info":{"title":"T","version":"0.12.0"}})", {}};
  }
  if (target.starts_with("/models?limit")) {
    return {200, R"({"models":[{"modelName":"r","modelUrl":"r.mar"}]})", {}};
  }
  if (request.method == "GET" && target == "/models/r") {
    return {200,
            R"([{"modelName":"r","modelVersion":"1.0","minWorkers":2,"maxWorkers":3,"batchSize":4,
                "maxBatchDelay":50,"workers":[{"id":"9000","status":"READY","memoryUsage":5}],
                "jobQueueStatus":{"remainingCapacity":90,"pendingRequests":10}}])",
            {}};
  }
  if (request.method == "POST") {
    return {target.find("slow") != std::string::npos ? 206 : 200, R"({"status":"s"})", {}};
  }
  if (request.method == "GET" || request.method == "DELETE") {
    return {
        404, R"({"code":404,"type":"ModelNotFoundException","message":"Model not found: x"})", {}};
  }
  return {200, R"({"status":"ok"})", {}};
}

TEST(ServerControlTest, TorchServe_RegistersScalesDescribesAndUnregisters) {
  const ScriptedServer server(&Management);
  TorchServeControlSpec spec;
  spec.management = server.target();
  spec.inference_url = server.Url("");
  const auto made = TorchServeControl::Make(spec);
  ASSERT_TRUE(made.ok());
  TorchServeControl& control = **made;
  EXPECT_EQ(*control.Ping(), "Healthy");
  EXPECT_EQ(*control.Version(), "0.12.0");
  EXPECT_THAT(*control.ModelNames(), ElementsAre("r"));
  TorchServeRegistration registration;
  registration.url = "http://x/r.mar";
  registration.name = "r";
  registration.batch_size = 4;
  registration.batch_delay_ms = 50;
  registration.workers = 2;
  EXPECT_TRUE(control.Register(registration).ok());
  EXPECT_EQ(server.requests().back().target,
            "/models?url=http%3A%2F%2Fx%2Fr.mar&batch_size=4&max_batch_delay=50&initial_workers=2&"
            "synchronous=true&model_name=r");
  const auto models = control.Describe("r", "");
  ASSERT_TRUE(models.ok()) << models.status().ToString();
  EXPECT_EQ((*models)[0].batch_size, 4);
  EXPECT_EQ((*models)[0].workers[0].status, "READY");
  EXPECT_EQ((*models)[0].queue_depth, 10);
  EXPECT_TRUE(control.Scale("r", "1.0", 1, 2, true).ok());
  EXPECT_EQ(server.requests().back().target,
            "/models/r/1.0?min_worker=1&max_worker=2&synchronous=true");
  const Status missing = control.Unregister("x", "");
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_THAT(missing.message(), HasSubstr("Model not found: x"));
  registration.url = "slow.mar";
  EXPECT_EQ(control.Register(registration).code(), StatusCode::kUnavailable);
}

TEST(ServerControlTest, TorchServe_AnswersAsAServer) {
  const ScriptedServer server(&Management);
  const auto control = Control(server, Protocol::kTorchServe);
  EXPECT_EQ(control->Server()->version, "0.12.0");
  EXPECT_TRUE(*control->ModelReady("r", ""));
  EXPECT_FALSE(*control->ModelReady("x", ""));
  EXPECT_EQ(control->Model("r", "")->batch_size_max, 4);
  EXPECT_EQ(control->Index()->at(0).state, "READY");
}

}  // namespace
}  // namespace headrace::load
