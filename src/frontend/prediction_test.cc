#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "frontend/prediction_answer.h"
#include "frontend/torchserve_error.h"
#include "frontend/v2_routes.h"

namespace headrace::frontend {
namespace {

using testing::HasSubstr;
using testing::Not;

engine::InferResponse Response(std::vector<Parameter> parameters, std::string body = "x") {
  engine::InferResponse response;
  response.parameters = std::move(parameters);
  NamedTensor output;
  output.name = "body";
  output.tensor.data = Buffer::FromString(std::move(body));
  response.outputs.push_back(std::move(output));
  return response;
}

TEST(PredictionAnswerTest, Build_TakesWhatTheHandlerHasSet) {
  const auto answer = BuildPredictionAnswer(
      Response({{"status", std::int64_t{418}},
                {"phrase", std::string("teapot")},
                {"content_type", std::string("text/tea")},
                {"headers", std::string(R"({"X-A": "b", "Cache-Control": "mine"})")}}),
      "id-1");
  EXPECT_EQ(answer.status, 418);
  EXPECT_EQ(answer.reason, "teapot");
  EXPECT_THAT(answer.extra_headers, HasSubstr("Content-Type: text/tea\r\n"));
  EXPECT_THAT(answer.extra_headers, HasSubstr("X-A: b\r\n"));
  EXPECT_THAT(answer.extra_headers, HasSubstr("x-request-id: id-1\r\n"));
  EXPECT_THAT(answer.extra_headers, Not(HasSubstr("mine")));
  EXPECT_EQ(answer.body.front().view(), "x");
}

TEST(PredictionAnswerTest, Build_SetsNothingByItself) {
  const auto answer = BuildPredictionAnswer(Response({}), "id");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.reason.empty() && answer.content_type.empty());
}

TEST(PredictionAnswerTest, Build_LeavesOutWhatWouldBreakTheHead) {
  const auto answer = BuildPredictionAnswer(
      Response({{"status", std::int64_t{99}},
                {"phrase", std::string("a\r\nb")},
                {"content_type", std::string("a\nb")},
                {"headers", std::string("{\"A\\r\\nB\": \"x\", \"C\": \"d\\r\\nE: f\", \"G\": 1, "
                                        "\"\": \"y\", \"H I\": \"z\"}")}}),
      "id");
  EXPECT_EQ(answer.status, 500);
  EXPECT_TRUE(answer.reason.empty());
  EXPECT_EQ(answer.extra_headers, PredictionHeaders("id"));
  EXPECT_EQ(BuildPredictionAnswer(Response({{"headers", std::string("no json")}}), "id").status,
            200);
}

TEST(TorchServeErrorTest, Refusal_IsIndentedJson) {
  const Refusal refusal =
      RefusalOf(TorchServeError{.code = 404, .type = "T", .message = "a \"b\""});
  EXPECT_EQ(refusal.json,
            "{\n  \"code\": 404,\n  \"type\": \"T\",\n  \"message\": \"a \\\"b\\\"\"\n}\n");
}

TEST(TorchServeErrorTest, Error_TellsAWorkersEndApartFromAFullQueue) {
  EXPECT_EQ(ErrorOf(Unavailable("the queue is full"), 0).code, 503);
  const TorchServeError died = ErrorOf(Unavailable("x: the worker ended while it ran"), 0);
  EXPECT_EQ(died.code, 500);
  EXPECT_THAT(died.message, testing::StartsWith("Worker died."));
  EXPECT_EQ(ErrorOf(Internal("no"), 599).code, 599);
}

TEST(PredictionRoutesTest, Match_TakesAllThatFollowsTheModel) {
  const auto rest = [](std::string_view path) {
    const auto match = V2Router().Match(path);
    return match ? std::string(match->model) + "|" + std::string(match->rest) : "none";
  };
  EXPECT_EQ(rest("/predictions/m"), "m|");
  EXPECT_EQ(rest("/predictions/m/"), "m|");
  EXPECT_EQ(rest("/predictions/m/1.0/a//b/"), "m|1.0/a//b/");
  EXPECT_EQ(rest("/explanations/m/1"), "m|1");
  EXPECT_EQ(rest("/predictions"), "|");
  EXPECT_EQ(rest("/predictions//x"), "none");
  EXPECT_EQ(rest("/Predictions/m"), "none");
}

}  // namespace
}  // namespace headrace::frontend
