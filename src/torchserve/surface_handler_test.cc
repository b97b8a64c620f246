#include "torchserve/surface_handler.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "torchserve/apis_fixture.h"

namespace headrace::torchserve {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class SurfaceTest : public ApisFixture {
 protected:
  SurfaceTest() : ApisFixture({.request_byte_size_max = 200'000}) {}
};

TEST_F(SurfaceTest, Request_IsAnsweredInTorchServesForm) {
  auto client = Connect();
  const auto ping = client.Get("/ping");
  EXPECT_EQ(ping.status, 200);
  EXPECT_EQ(ping.body, "{\n  \"status\": \"Healthy\"\n}\n");
  EXPECT_TRUE(ping.Header("x-request-id"));
  EXPECT_EQ(ping.Header("Pragma"), "no-cache");

  const auto unknown = client.Get("/nowhere");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("\"type\": \"ResourceNotFoundException\""));
  EXPECT_TRUE(unknown.Header("x-request-id"));

  const auto wrong = client.Get("/");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_THAT(wrong.body, HasSubstr("MethodNotAllowedException"));
}

TEST_F(SurfaceTest, Request_GoesToTheV2HandlerIfNoRouteTakesIt) {
  Serve(frontend::IdentityOptions("plain"));
  auto client = Connect();
  EXPECT_EQ(client.Get("/v2/health/live").status, 200);
  EXPECT_EQ(client.Get("/v2/nowhere").status, 404);
  const auto answer =
      client.Post("/v2/models/plain/infer",
                  R"({"inputs":[{"name":"INPUT0","datatype":"FP32","shape":[1,2],"data":[1,2]}]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(answer.body, HasSubstr("OUTPUT0"));
  // Not on the other listeners.
  auto management = Connect(management_port_);
  EXPECT_EQ(management.Get("/v2/health/live").status, 404);
  EXPECT_EQ(management.Get("/ping").status, 404);
}

TEST_F(SurfaceTest, Request_OfAHandlersModelIsAPredictionOnV2Too) {
  ServeHandler("echo");
  auto client = Connect();
  const auto answer = client.Post("/v2/models/echo/infer", R"({"inputs":[]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"inputs":[]})");
  EXPECT_FALSE(answer.Header("Content-Type"));
}

TEST_F(SurfaceTest, Body_BeyondTheLimitIsRefusedWithoutAText) {
  ServeHandler("echo");
  const std::string body(150'000, 'x');
  {
    auto client = Connect();
    EXPECT_EQ(client.Post("/predictions/echo", body).body.size(), body.size());
  }
  auto client = Connect();
  client.Send("POST /predictions/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200001\r\n\r\n");
  const auto refused = client.Receive();
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.Header("Content-Length"), "0");
  EXPECT_FALSE(refused.Header("Content-Type"));
}

TEST_F(SurfaceTest, Description_IsThatOfTheListener) {
  auto client = Connect();
  EXPECT_THAT(client.Exchange("OPTIONS", "/").body, HasSubstr("version_predictions"));
  EXPECT_THAT(client.Get("/api-description").body, StartsWith("{\n  \"openapi\": \"3.0.1\""));
  auto shared = Connect(shared_port_);
  const std::string both = shared.Get("/api-description").body;
  EXPECT_THAT(both, HasSubstr("registerModel"));
  EXPECT_THAT(both, HasSubstr("version_predictions"));
}

class CorsTest : public ApisFixture {
 protected:
  CorsTest()
      : ApisFixture({}, {.tokens = false,
                         .cors = {.allowed_origin = "https://a.example",
                                  .allowed_methods = "GET, POST",
                                  .allowed_headers = "X-A"}}) {}
};

TEST_F(CorsTest, Answer_AlwaysSaysWhatOtherOriginsMay) {
  ServeHandler("echo");
  auto client = Connect();
  for (const char* path : {"/ping", "/predictions/echo", "/predictions/none", "/nowhere", "/v2"}) {
    const auto answer = client.Get(path);
    EXPECT_EQ(answer.Header("Access-Control-Allow-Origin"), "https://a.example") << path;
    EXPECT_EQ(answer.Header("Access-Control-Allow-Methods"), "GET, POST") << path;
    EXPECT_EQ(answer.Header("Access-Control-Allow-Headers"), "X-A") << path;
  }
}

TEST_F(CorsTest, Preflight_IsAnsweredWhateverItsRoute) {
  auto client = Connect(management_port_);
  const auto answer = client.Exchange("OPTIONS", "/models", {},
                                      "Origin: https://a.example\r\n"
                                      "Access-Control-Request-Method: POST\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("Access-Control-Allow-Origin"), "https://a.example");
  EXPECT_EQ(client.Exchange("OPTIONS", "/models").status, 405);
}

TEST_F(SurfaceTest, Management_TakesNothingFromPagesOfOtherServers) {
  ServeHandler("echo");
  auto client = Connect(management_port_);
  EXPECT_EQ(client.Exchange("GET", "/models").status, 200);
  for (const char* headers : {"Origin: https://evil.example\r\n", "Origin: null\r\n"}) {
    for (const char* path : {"/models", "/nowhere", "/models?url=a.mar"}) {
      auto page = Connect(management_port_);
      const auto answer = page.Exchange("POST", path, {}, headers);
      EXPECT_EQ(answer.status, 403) << path;
      EXPECT_THAT(answer.body, HasSubstr("another origin"));
    }
  }
  // Where both are one listener, predictions stay open.
  auto shared = Connect(shared_port_);
  EXPECT_EQ(
      shared.Exchange("POST", "/predictions/echo", "x", "Origin: https://evil.example\r\n").status,
      200);
  EXPECT_EQ(shared.Exchange("GET", "/models", {}, "Origin: https://evil.example\r\n").status, 403);
}

}  // namespace
}  // namespace headrace::torchserve
