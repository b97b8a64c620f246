#include "torchserve/api_router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "torchserve/api_replies.h"
#include "torchserve/openapi.h"

namespace headrace::torchserve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

TEST(ApiPathTest, SplitPath_DecodesBeforeItCuts) {
  EXPECT_THAT(SplitPath("/predictions/m/1.0"), ElementsAre("predictions", "m", "1.0"));
  EXPECT_THAT(SplitPath("/predictions%2Fm%20x"), ElementsAre("predictions", "m x"));
  EXPECT_THAT(SplitPath("/a//b///"), ElementsAre("a", "", "b"));
  EXPECT_THAT(SplitPath("/a%2F%2f"), ElementsAre("a"));
  EXPECT_THAT(SplitPath("/%zz/%4"), ElementsAre("%zz", "%4"));
  EXPECT_THAT(SplitPath("/"), IsEmpty());
  EXPECT_THAT(SplitPath(""), IsEmpty());
}

TEST(ApiPathTest, SplitPath_BoundsItsSegments) {
  std::string path;
  for (int i = 0; i < 5000; ++i) {
    path.append("/x");
  }
  const auto segments = SplitPath(path);
  ASSERT_EQ(segments.size(), 64u);
  EXPECT_THAT(segments.back(), testing::StartsWith("x/x/x"));
}

TEST(ApiPathTest, SplitQuery_CutsBeforeItDecodes) {
  EXPECT_THAT(
      SplitQuery("a=b&c=d%26e+f&g&=h&&i="),
      ElementsAre(Pair("a", "b"), Pair("c", "d&e f"), Pair("g", ""), Pair("", "h"), Pair("i", "")));
  EXPECT_THAT(SplitQuery("a=%q"), ElementsAre(Pair("a", "%q")));
  EXPECT_THAT(SplitQuery(""), IsEmpty());
}

bool PathMatches(std::string_view pattern, std::string_view path) {
  return Matches(pattern, SplitPath(path));
}

TEST(ApiPathTest, Matches_KnowsItsPatterns) {
  EXPECT_TRUE(PathMatches("/", "/"));
  EXPECT_FALSE(PathMatches("/", "/x"));
  EXPECT_TRUE(PathMatches("/models/*", "/models/m"));
  EXPECT_FALSE(PathMatches("/models/*", "/models"));
  EXPECT_FALSE(PathMatches("/models/*", "/models/m/1"));
  EXPECT_TRUE(PathMatches("/p/**", "/p"));
  EXPECT_TRUE(PathMatches("/p/**", "/p/a/b/c"));
  EXPECT_FALSE(PathMatches("/p/**", "/q"));
  EXPECT_TRUE(PathMatches("/v1/models/*:predict", "/v1/models/m:x:predict"));
  EXPECT_TRUE(PathMatches("/v1/models/*:predict", "/v1/models/:predict"));
  EXPECT_FALSE(PathMatches("/v1/models/*:predict", "/v1/models/m:explain"));
}

void First(ApiCall&) {}
void Second(ApiCall&) {}

TEST(ApiRouterTest, Find_TakesTheFirstRouteThatAllowsTheMethod) {
  constexpr ApiRoute kRoutes[] = {
      {"/models/*", "GET,PUT", Surface::kManagement, false, First},
      {"/models/*", "DELETE", Surface::kManagement, false, Second},
      {"/models/*/invoke", "", Surface::kInference, true, Second},
  };
  ApiRouter router;
  router.Add(kRoutes, static_cast<Surfaces>(Surface::kManagement));
  const auto path = SplitPath("/models/m");
  EXPECT_EQ(router.Find(path, net::HttpMethod::kPut).route, &kRoutes[0]);
  const auto second = router.Find(path, net::HttpMethod::kDelete);
  EXPECT_TRUE(second.method_allowed);
  EXPECT_EQ(second.route, &kRoutes[1]);
  const auto none = router.Find(path, net::HttpMethod::kPost);
  EXPECT_FALSE(none.method_allowed);
  EXPECT_EQ(none.route, &kRoutes[0]);
  // Of another surface.
  EXPECT_EQ(router.Find(SplitPath("/models/m/invoke"), net::HttpMethod::kGet).route, nullptr);
}

TEST(ApiRepliesTest, Indented_IsAsTorchServeWritesIt) {
  EXPECT_EQ(Indented(R"({"a":"x\":,{","b":[1,{"c":[]}],"d":{}})"),
            "{\n  \"a\": \"x\\\":,{\",\n  \"b\": [\n    1,\n    {\n      \"c\": []\n    }\n  ],\n"
            "  \"d\": {}\n}\n");
  EXPECT_EQ(Indented(R"({ "status": "a b" })"), "{\n  \"status\": \"a b\"\n}\n");
}

TEST(OpenApiTest, DescribeListener_HasWhatItsSurfacesServe) {
  const std::string inference =
      DescribeListener(static_cast<Surfaces>(Surface::kInference), true, "9.9");
  EXPECT_THAT(inference, HasSubstr(R"("/predictions/{model_name}/{model_version}":{"post")"));
  EXPECT_THAT(inference, HasSubstr(R"("version":"9.9")"));
  EXPECT_THAT(inference, HasSubstr(R"("/metrics")"));
  EXPECT_THAT(inference, Not(HasSubstr("registerModel")));
  const std::string both = DescribeListener(3, false, "9.9");
  EXPECT_THAT(both, HasSubstr("registerModel"));
  EXPECT_THAT(both, HasSubstr(R"("/ping")"));
  EXPECT_THAT(both, Not(HasSubstr("/metrics")));
}

}  // namespace
}  // namespace headrace::torchserve
