// The v2 endpoints but inference, over a real server.
#include "frontend/front_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "frontend/front_end_fixture.h"
#include "frontend/v2_routes.h"

namespace headrace::frontend {
namespace {

using testing::HasSubstr;

class FrontEndTest : public FrontEndFixture {};

std::string FilledPath(std::string_view pattern) {
  std::string path(pattern);
  for (const auto& [placeholder, text] :
       {std::pair("{model}", "m"), {"{version}", "1"}, {"{repository}", "r"}, {"{region}", "g"}}) {
    if (const auto at = path.find(placeholder); at != std::string::npos) {
      path.replace(at, std::string_view(placeholder).size(), text);
    }
  }
  return path;
}

TEST_F(FrontEndTest, WrongMethod_Gets405WithAllow_OnEveryRoute) {
  Serve(IdentityOptions("m"));
  for (const Route& route : V2Router().routes()) {
    if (route.methods == MethodSet::kAny) {  // TorchServe's, which has no wrong one
      continue;
    }
    const std::string path = FilledPath(route.pattern);
    const std::string allow(AllowHeaderLine(route.methods));
    for (const std::string_view method : {"HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PATCH"}) {
      const WireResponse response = Connect().Exchange(method, path);
      EXPECT_EQ(response.status, 405) << method << " " << path;
      EXPECT_THAT(response.head, HasSubstr(allow)) << method << " " << path;
    }
    if (route.methods != MethodSet::kGetAndPost) {
      const std::string_view other = route.methods == MethodSet::kGet ? "POST" : "GET";
      const WireResponse response = Connect().Exchange(other, path);
      EXPECT_EQ(response.status, 405) << path;
      EXPECT_EQ(response.body, R"({"error":"Method Not Allowed"})");
      EXPECT_EQ(response.Header("Content-Type"), "application/json");
    }
  }
}

TEST_F(FrontEndTest, UnknownPath_Gets404Json_AndTheConnectionGoesOn) {
  WireClient client = Connect();
  for (const std::string_view path : {"/", "/v2/", "/v2/models//infer", "/v2/models/a/b/infer",
                                      "/v2/%2e%2e/v2", "/metrics", "/v2/health/live/"}) {
    for (const std::string_view method : {"GET", "POST"}) {
      const WireResponse response = client.Exchange(method, path, method == "POST" ? "abc" : "");
      EXPECT_EQ(response.status, 404) << path;
      EXPECT_EQ(response.body, R"({"error":"Not Found"})");
    }
  }
}

TEST_F(FrontEndTest, Health_IsAStatusAlone) {
  WireClient client = Connect();
  for (const std::string_view path : {"/v2/health/live", "/v2/health/ready"}) {
    const WireResponse response = client.Get(path);
    EXPECT_EQ(response.status, 200) << path;
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(response.Header("Content-Length"), "0");
  }
  front_end_.SetDraining();
  EXPECT_EQ(client.Get("/v2/health/live").status, 200);
  const WireResponse ready = client.Get("/v2/health/ready");
  EXPECT_EQ(ready.status, 400);
  EXPECT_EQ(ready.body, "");
}

TEST_F(FrontEndTest, ModelReady_Is200OnlyForAServingVersion) {
  Serve(IdentityOptions("m"));
  registry_.SetVersion("loading", 1, {engine::ModelState::kLoading, "", nullptr});
  WireClient client = Connect();
  EXPECT_EQ(client.Get("/v2/models/m/ready").status, 200);
  EXPECT_EQ(client.Get("/v2/models/m/versions/1/ready").status, 200);
  for (const std::string_view path :
       {"/v2/models/m/versions/2/ready", "/v2/models/no/ready", "/v2/models/loading/ready",
        "/v2/models/loading/versions/1/ready", "/v2/models/m/versions/01/ready"}) {
    const WireResponse response = client.Get(path);
    EXPECT_EQ(response.status, 400) << path;
    EXPECT_EQ(response.body, R"({"error":"Model version not ready"})");
  }
}

TEST_F(FrontEndTest, ServerMetadata_NamesServerAndExtensions) {
  const WireResponse response = Connect().Get("/v2?x=1");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("Content-Type"), "application/json");
  EXPECT_EQ(response.body,
            R"json({"name":"triton","version":"2.0","extensions":["classification",)json"
            R"json("model_repository","model_repository(unload_dependents)",)json"
            R"json("model_configuration","system_shared_memory","binary_tensor_data",)json"
            R"json("parameters","statistics","trace","logging"]})json");
}

TEST_F(FrontEndTest, ModelMetadata_ListsReadyVersions_OrTheOneAskedFor) {
  Serve(IdentityOptions("m", 1));
  Serve(IdentityOptions("m", 3));
  registry_.SetVersion("m", 2, {engine::ModelState::kUnavailable, "broken", nullptr});
  const std::string tail =
      R"("platform":"fake","inputs":[{"name":"INPUT0","datatype":"FP32","shape":[-1,-1]}],)"
      R"("outputs":[{"name":"OUTPUT0","datatype":"FP32","shape":[-1,-1]}]})";
  WireClient client = Connect();
  EXPECT_EQ(client.Get("/v2/models/m").body, R"({"name":"m","versions":["1","3"],)" + tail);
  EXPECT_EQ(client.Get("/v2/models/m/versions/1").body, R"({"name":"m","versions":["1"],)" + tail);
}

TEST_F(FrontEndTest, MissingModels_GetTritonsTexts) {
  Serve(IdentityOptions("m"));
  registry_.SetVersion("failed", 1, {engine::ModelState::kUnavailable, "broken", nullptr});
  WireClient client = Connect();
  struct Case {
    std::string_view path;
    int status;
    std::string_view error;
  };
  for (const Case& test : std::initializer_list<Case>{
           {"/v2/models/no", 404, "Request for unknown model: 'no' is not found"},
           {"/v2/models/m/versions/2", 404,
            "Request for unknown model: 'm' version 2 is not found"},
           {"/v2/models/m/versions/0", 404,
            "Request for unknown model: 'm' version 0 is not found"},
           {"/v2/models/m/versions/007", 404,
            "Request for unknown model: 'm' version 007 is not found"},
           {"/v2/models/m/versions/18446744073709551616/config", 404,
            "Request for unknown model: 'm' version 18446744073709551616 is not found"},
           {"/v2/models/no/stats", 400, "requested model 'no' is not available"},
           {"/v2/models/failed/stats", 400, "requested model 'failed' is not available"},
           {"/v2/models/m/versions/4/stats", 400,
            "requested model version is not available for model 'm'"}}) {
    const WireResponse response = client.Get(test.path);
    EXPECT_EQ(response.status, test.status) << test.path;
    EXPECT_EQ(response.body, "{\"error\":\"" + std::string(test.error) + "\"}");
  }
}

TEST_F(FrontEndTest, NotReadyModel_Gets503WithRetryAfter) {
  registry_.SetVersion("loading", 1, {engine::ModelState::kLoading, "", nullptr});
  const WireResponse response = Connect().Get("/v2/models/loading/versions/1");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.Header("Retry-After"), "1");
  EXPECT_THAT(response.body, HasSubstr("version 1 is not at ready state"));
}

TEST_F(FrontEndTest, Config_IsWhatTheModelWasLoadedWith) {
  Serve(IdentityOptions("m"));
  EXPECT_EQ(Connect().Get("/v2/models/m/config").body, R"({"name":"m","max_batch_size":8})");
}

TEST_F(FrontEndTest, Statistics_StartAtZero_InTritonsForm) {
  Serve(IdentityOptions("b"));
  Serve(IdentityOptions("a"));
  const auto expected = [](std::string_view name) {
    return R"({"name":")" + std::string(name) +
           R"(","version":"1","last_inference":0,"inference_count":0,"execution_count":0,)"
           R"("inference_stats":{"success":{"count":0,"ns":0},"fail":{"count":0,"ns":0},)"
           R"("queue":{"count":0,"ns":0},"compute_input":{"count":0,"ns":0},)"
           R"("compute_infer":{"count":0,"ns":0},"compute_output":{"count":0,"ns":0},)"
           R"("cache_hit":{"count":0,"ns":0},"cache_miss":{"count":0,"ns":0}},)"
           R"("response_stats":{},"batch_stats":[],"memory_usage":[]})";
  };
  WireClient client = Connect();
  EXPECT_EQ(client.Get("/v2/models/a/stats").body, R"({"model_stats":[)" + expected("a") + "]}");
  EXPECT_EQ(client.Get("/v2/models/stats").body,
            R"({"model_stats":[)" + expected("a") + "," + expected("b") + "]}");
}

TEST_F(FrontEndTest, RepositoryIndex_RefusesMalformedBodies) {
  WireClient client = Connect();
  EXPECT_EQ(client.Post("/v2/repository/index", "").status, 200);
  EXPECT_EQ(client.Post("/v2/repository/index", R"({"ready":true})").status, 200);
  EXPECT_EQ(client.Post("/v2/repository/any/index", "{}").status, 200);
  for (const std::string& body :
       {std::string("[1"), std::string(R"({"ready":1})"), "{\"x\":" + std::string(250'000, '[')}) {
    EXPECT_EQ(client.Post("/v2/repository/index", body).status, 400) << body.substr(0, 20);
  }
}

TEST_F(FrontEndTest, LoadAndUnload_AreRefusedOutsideExplicitMode) {
  WireClient client = Connect();
  for (const std::string_view verb : {"load", "unload"}) {
    const WireResponse response = client.Post("/v2/repository/models/m/" + std::string(verb), "");
    EXPECT_EQ(response.status, 503) << response.body;
    EXPECT_THAT(response.body,
                HasSubstr("explicit model load / unload is not allowed if polling is enabled"));
    EXPECT_EQ(client.Post("/v2/repository/r/models/m/" + std::string(verb), "").status, 501);
    EXPECT_EQ(client.Post("/v2/repository/models/..%2fm/" + std::string(verb), "").status, 400);
    EXPECT_EQ(client.Post("/v2/repository/models/m/" + std::string(verb), "[").status, 400);
  }
}

TEST_F(FrontEndTest, UnsupportedExtensions_SayWhatIsMissing) {
  Serve(IdentityOptions("m"));
  WireClient client = Connect();
  EXPECT_EQ(client.Get("/v2/systemsharedmemory/status").body, "[]");
  EXPECT_EQ(client.Get("/v2/cudasharedmemory/status").body, "[]");
  EXPECT_EQ(client.Get("/v2/systemsharedmemory/region/r/status").body,
            R"({"error":"Unable to find system shared memory region: 'r'"})");
  EXPECT_EQ(client.Get("/v2/cudasharedmemory/region/r/status").status, 404);
  EXPECT_THAT(client.Post("/v2/systemsharedmemory/region/r/register", "{}").body,
              HasSubstr("Client shared memory is disabled."));
  for (const std::string_view path :
       {"/v2/systemsharedmemory/unregister", "/v2/cudasharedmemory/region/r/register"}) {
    const WireResponse response = client.Post(path, "{}");
    EXPECT_EQ(response.status, 501) << path;
    EXPECT_THAT(response.body, HasSubstr("\"error\"")) << path;
  }
}

TEST_F(FrontEndTest, LargeBody_IsRefusedBeforeItIsRead) {
  WireClient client = Connect();
  client.Send("POST /v2/models/no/infer HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_EQ(client.Receive().status, 404);

  WireClient other = Connect();
  other.Send("POST /v2/repository/index HTTP/1.1\r\nHost: t\r\nContent-Length: 2000000\r\n\r\n");
  const WireResponse response = other.Receive();
  EXPECT_EQ(response.status, 413);
  EXPECT_THAT(response.body, HasSubstr("exceeds the maximum allowed input size"));
}

}  // namespace
}  // namespace headrace::frontend
