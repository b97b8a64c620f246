// generate, from socket to fake model and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "frontend/front_end_fixture.h"

namespace headrace::frontend {
namespace {

using testing::HasSubstr;

class GenerateTest : public FrontEndFixture {};

TEST_F(GenerateTest, OneResponse_ComesBackFlat) {
  Serve(IdentityOptions("m"));
  const WireResponse response =
      Connect().Post("/v2/models/m/generate", R"({"INPUT0":[1,2.5],"id":"a"})");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.Header("Content-Type"), "application/json");
  EXPECT_EQ(response.body,
            R"({"id":"a","model_name":"m","model_version":"1","OUTPUT0":[1.0,2.5]})");
  EXPECT_EQ(Connect().Post("/v2/models/m/versions/1/generate", R"({"INPUT0":7})").body,
            R"({"model_name":"m","model_version":"1","OUTPUT0":7.0})");
}

TEST_F(GenerateTest, Refusals) {
  Serve(IdentityOptions("m"));
  EXPECT_EQ(Connect().Post("/v2/models/x/generate", "{}").status, 404);
  const WireResponse missing = Connect().Post("/v2/models/m/generate", "{}");
  EXPECT_EQ(missing.status, 400);
  EXPECT_THAT(missing.body, HasSubstr("expected 1 inputs but got 0"));
  EXPECT_EQ(Connect().Post("/v2/models/m/generate", "no").status, 400);
  EXPECT_EQ(Connect().Post("/v2/models/m/generate", R"({"INPUT0":"a"})").status, 400);
  EXPECT_EQ(Connect().Get("/v2/models/m/generate").status, 405);
}

TEST_F(GenerateTest, DecoupledModel_MayAnswerOnce_AndNotOtherwise) {
  const auto serve = [this](const std::string& name, int count) {
    engine::ModelOptions options = IdentityOptions(name);
    options.decoupled = true;
    Serve(std::move(options), [count](engine::Batch batch) {
      for (auto& request : batch.requests) {
        for (int i = 0; i < count; ++i) {
          engine::InferResponse response;
          response.outputs.push_back({"OUTPUT0", request->inputs[0].tensor});
          request->Send(std::move(response));
        }
        request->Finish(OkStatus());
      }
    });
  };
  serve("none", 0);
  serve("one", 1);
  serve("two", 2);
  EXPECT_EQ(Connect().Post("/v2/models/one/generate", R"({"INPUT0":1})").status, 200);
  for (const char* name : {"none", "two"}) {
    const WireResponse response =
        Connect().Post("/v2/models/" + std::string(name) + "/generate", R"({"INPUT0":1})");
    EXPECT_EQ(response.status, 500);
    EXPECT_THAT(response.body, HasSubstr("generate expects model to produce exactly 1 response"));
  }
}

}  // namespace
}  // namespace headrace::frontend
