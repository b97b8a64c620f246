#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <string>
#include <thread>

#include "torchserve/apis_fixture.h"

namespace headrace::torchserve {
namespace {

using frontend::WireResponse;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Answers with what a handler would be told: "name=value;" for each parameter, and the bytes.
void ExecuteShow(engine::Batch batch) {
  for (auto& request : batch.requests) {
    std::string text = "priority=" + std::to_string(request->priority) + ";";
    for (const Parameter& parameter : request->parameters) {
      text += parameter.name + "=";
      if (const auto* string = std::get_if<std::string>(&parameter.value)) {
        text += *string;
      } else if (const auto* flag = std::get_if<bool>(&parameter.value)) {
        text += *flag ? "true" : "false";
      }
      text += ";";
    }
    text += "data=" + std::string(request->inputs.front().tensor.data.view());
    engine::InferResponse response;
    Tensor body;
    body.dtype = DataType::kUint8;
    body.shape = Shape({1, static_cast<std::int64_t>(text.size())});
    body.data = Buffer::FromString(std::move(text));
    response.outputs.push_back({"body", std::move(body)});
    response.final = true;
    request->Send(std::move(response));
    request->Finish(OkStatus());
  }
}

class InferenceTest : public ApisFixture {
 protected:
  InferenceTest() { ServeHandler("show", ExecuteShow); }
};

TEST_F(InferenceTest, EveryRoute_ReachesTheHandlerWithWhatItAdds) {
  auto client = Connect();
  const auto body = [&](std::string_view path) {
    const WireResponse answer = client.Post(path, "x");
    return answer.status == 200 ? answer.body : std::to_string(answer.status) + answer.body;
  };
  EXPECT_THAT(body("/predictions/show"), HasSubstr("path=;explain=false;data=x"));
  EXPECT_THAT(body("/predictions/show/1.0/a//b/?c=d"), HasSubstr("path=a//b;explain=false;data=x"));
  EXPECT_THAT(body("/predictions%2Fshow"), HasSubstr("data=x"));
  EXPECT_THAT(body("/explanations/show"), HasSubstr("path=;explain=true;data=x"));
  EXPECT_THAT(body("/v1/models/show:predict"),
              AllOf(HasSubstr("explain=false;data=x"), Not(HasSubstr("path="))));
  EXPECT_THAT(body("/v1/models/show:explain"), HasSubstr("explain=true;"));
  EXPECT_THAT(body("/v2/models/show/infer"), HasSubstr("explain=false;data=x"));
  EXPECT_THAT(body("/v2/models/show/explain"), HasSubstr("explain=true;"));
  // Fields of the query are inputs, and stand before those of the body.
  const char* const parts =
      R"(parts=[{"name":"a","type":"","offset":1,"size":2},{"name":"body","type":"","offset":0,"size":1}])";
  for (const char* path :
       {"/models/show/invoke?a=bc", "/show/predict?a=bc", "/show/1/predict?a=bc"}) {
    EXPECT_THAT(body(path),
                AllOf(HasSubstr(parts), HasSubstr("data=xbc"), Not(HasSubstr("explain"))))
        << path;
  }
  EXPECT_THAT(body("/invocations?model_name=show"), HasSubstr(R"("name":"model_name")"));
}

TEST_F(InferenceTest, Invocations_TakesItsModelFromAForm) {
  auto client = Connect();
  const auto answer = client.Post("/invocations", "a=1&model_name=show",
                                  "Content-Type: application/x-www-form-urlencoded\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("data=1show"));
  const std::string form =
      "--b\r\nContent-Disposition: form-data; name=\"model_name\"\r\n\r\nshow\r\n--b--\r\n";
  EXPECT_EQ(
      client.Post("/invocations", form, "Content-Type: multipart/form-data; boundary=b\r\n").status,
      200);
  const auto missing = client.Post("/invocations", "x");
  EXPECT_EQ(missing.status, 400);
  EXPECT_THAT(missing.body, HasSubstr("Parameter model_name is required."));
  EXPECT_TRUE(missing.Header("x-request-id"));
}

TEST_F(InferenceTest, UnknownModelsAndVersions_AreToldApart) {
  auto client = Connect();
  const auto error = [&](std::string_view path, std::string_view type, std::string_view message) {
    const WireResponse answer = client.Get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_THAT(answer.body, HasSubstr("\"type\": \"" + std::string(type) + "\"")) << path;
    EXPECT_THAT(answer.body, HasSubstr("\"message\": \"" + std::string(message) + "\"")) << path;
  };
  error("/predictions/none", "ModelNotFoundException", "Model not found: none");
  error("/predictions//x", "ModelNotFoundException", "Model not found: ");
  error("/predictions/show/2.0", "ModelVersionNotFoundException",
        "Model version: 2.0 does not exist for model: show");
  error("/predictions/show/01", "ModelVersionNotFoundException",
        "Model version: 01 does not exist for model: show");
  error("/predictions", "ResourceNotFoundException",
        "Requested resource is not found, please refer to API document.");
  error("/v1/models/show:foo", "ResourceNotFoundException",
        "Requested resource is not found, please refer to API document.");
}

TEST_F(InferenceTest, Version_IsFoundByItsName) {
  engine::ModelOptions options = HandlerOptions("named", 1'000'007);
  options.version_name = "2.1-beta";
  Serve(std::move(options), ExecuteEcho);
  auto client = Connect();
  EXPECT_EQ(client.Post("/predictions/named/2.1-beta", "x").body, "x");
  EXPECT_EQ(client.Get("/predictions/named/2.1").status, 404);
}

TEST_F(InferenceTest, Options_DescribesTheModel) {
  auto client = Connect();
  const auto answer = client.Exchange("OPTIONS", "/predictions/show");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("\"title\": \"RESTful API for: show\""));
  EXPECT_THAT(answer.body, HasSubstr("\"/prediction/show\""));
  EXPECT_EQ(client.Exchange("OPTIONS", "/predictions/none").status, 404);
}

TEST_F(InferenceTest, RequestId_IsTheClients) {
  auto client = Connect();
  const auto answer = client.Post("/predictions/show", "", "x-request-id: mine-1\r\n");
  EXPECT_EQ(answer.Header("x-request-id"), "mine-1");
  EXPECT_THAT(answer.body, HasSubstr("request_id=mine-1;"));
  // One that cannot be told on is replaced.
  const auto other = client.Post("/predictions/show", "", "x-request-id: a b\r\n");
  EXPECT_THAT(*other.Header("x-request-id"), testing::MatchesRegex("[0-9a-f]{8}-.*"));
}

TEST_F(InferenceTest, Priority_ComesByAHeader) {
  auto client = Connect();
  EXPECT_THAT(client.Post("/predictions/show", "x", "ts_request_priority: 3\r\n").body,
              testing::StartsWith("priority=3;"));
  const auto wrong = client.Post("/predictions/show", "x", "ts_request_priority: high\r\n");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr("must be a whole number from 1, the highest, on"));
}

TEST_F(InferenceTest, Sequence_IsNamedByTheClientOrByTheServer) {
  engine::ModelOptions options = HandlerOptions("states");
  options.sequences.emplace();
  options.sequences->direct = false;
  options.sequences->batch_size_max = 1;
  options.sequences->slot_count = 8;
  options.sequences->starts_by_itself = true;
  Serve(std::move(options), ExecuteShow);
  auto client = Connect();
  EXPECT_THAT(client.Post("/predictions/states", "x", "ts_request_sequence_id: s1\r\n").body,
              AllOf(HasSubstr(R"("ts_request_sequence_id":"s1")"),
                    Not(HasSubstr("ts_request_sequence_start"))));
  EXPECT_THAT(client.Post("/predictions/states", "x").body,
              AllOf(HasSubstr(R"("ts_request_sequence_id":"ts-seq-)"),
                    HasSubstr(R"("ts_request_sequence_start":"true")")));
}

// A model whose one instance is held until the test lets it go.
class OverloadTest : public ApisFixture {
 protected:
  ~OverloadTest() override { LetGo(); }

  void Hold(engine::ModelOptions options) {
    Serve(std::move(options), [this](engine::Batch batch) {
      if (!held_.exchange(true)) {
        busy_.set_value();
        go_.get_future().wait();
      }
      ExecuteEcho(std::move(batch));
    });
    first_.Send("GET /predictions/slow HTTP/1.1\r\nHost: x\r\n\r\n");
    busy_.get_future().wait();
  }
  void LetGo() {
    if (held_ && !let_go_.exchange(true)) {
      go_.set_value();
    }
  }
  void ExpectOverload(const WireResponse& answer, std::string_view text) {
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.Header("Retry-After"), "1");
    EXPECT_THAT(answer.body, HasSubstr("\"type\": \"ServiceUnavailableException\""));
    EXPECT_THAT(answer.body, HasSubstr(std::string(text)));
  }

  frontend::WireClient first_ = Connect();
  std::promise<void> busy_, go_;
  std::atomic<bool> held_{false}, let_go_{false};
};

TEST_F(OverloadTest, FullQueue_SaysHowMuchIsInIt) {
  engine::ModelOptions options = HandlerOptions("slow");
  options.queue_limits.request_count_max = 1;
  Hold(std::move(options));
  auto second = Connect(), third = Connect();
  second.Send("GET /predictions/slow HTTP/1.1\r\nHost: x\r\n\r\n");
  while (models_.back()->queue_depth() == 0) {
    std::this_thread::yield();
  }
  ExpectOverload(third.Get("/predictions/slow"),
                 "Model \\\"slow\\\" has no room for the request: its queue is full, 1 requests");
  LetGo();
  EXPECT_EQ(first_.Receive().status, 200);
  EXPECT_EQ(second.Receive().status, 200);
}

TEST_F(OverloadTest, JobTickets_AreForIdleWorkers) {
  engine::ModelOptions options = HandlerOptions("slow");
  options.job_tickets = true;
  Hold(std::move(options));
  auto second = Connect();
  ExpectOverload(second.Get("/predictions/slow"), "takes a request only while a worker is idle");
  LetGo();
  EXPECT_EQ(first_.Receive().status, 200);
  EXPECT_EQ(second.Get("/predictions/slow").status, 200);
}

TEST_F(OverloadTest, ClientTimeout_IsAnsweredWhileTheWorkerIsBusy) {
  engine::ModelOptions options = HandlerOptions("slow");
  options.batching.dynamic = true;
  options.queue_policies.default_policy.timeout = 20 * kMillisecond;
  Hold(std::move(options));
  auto second = Connect();
  ExpectOverload(second.Get("/predictions/slow"), "clientTimeoutInMills");
  LetGo();
  EXPECT_EQ(first_.Receive().status, 200);
}

TEST_F(OverloadTest, ModelWithoutWorkers_SaysThatTheyAreMissing) {
  engine::ModelOptions options = HandlerOptions("empty");
  options.placements.clear();
  options.may_have_no_instances = true;
  Serve(std::move(options), ExecuteEcho);
  auto client = Connect();
  ExpectOverload(client.Get("/predictions/empty"),
                 "Model \\\"empty\\\" has no worker to serve inference request. Please use scale "
                 "workers API to add workers.");
  ExpectOverload(client.Get("/predictions/empty/1.0"),
                 "Model \\\"empty\\\" Version 1.0\\\" has no worker");
}

}  // namespace
}  // namespace headrace::torchserve
