#include "frontend/router.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <type_traits>
#include <utility>

#include "frontend/v2_handlers.h"
#include "frontend/v2_routes.h"

namespace headrace::frontend {
namespace {

struct Expectation {
  std::string_view path;
  RouteHandler handler;  // null = no route
  std::string_view model, version, repository, region;
};

class V2RouterTest : public testing::TestWithParam<Expectation> {};

TEST_P(V2RouterTest, Match_FindsHandlerAndParts) {
  const Expectation& expected = GetParam();
  const std::optional<RouteMatch> match = V2Router().Match(expected.path);
  ASSERT_EQ(match.has_value(), expected.handler != nullptr) << expected.path;
  if (match) {
    EXPECT_EQ(match->route->handler, expected.handler) << expected.path;
    EXPECT_EQ(match->model, expected.model);
    EXPECT_EQ(match->version, expected.version);
    EXPECT_EQ(match->repository, expected.repository);
    EXPECT_EQ(match->region, expected.region);
  }
}

constexpr Expectation kMatching[] = {
    {"/v2", ServeServerMetadata, "", "", "", ""},
    {"/v2/health/live", ServeLive, "", "", "", ""},
    {"/v2/health/ready", ServeReady, "", "", "", ""},
    {"/v2/models/m", ServeModelMetadata, "m", "", "", ""},
    {"/v2/models/m/versions/12", ServeModelMetadata, "m", "12", "", ""},
    {"/v2/models/m/ready", ServeModelReady, "m", "", "", ""},
    {"/v2/models/m/versions/1/ready", ServeModelReady, "m", "1", "", ""},
    {"/v2/models/m/config", ServeModelConfig, "m", "", "", ""},
    {"/v2/models/m/versions/1/config", ServeModelConfig, "m", "1", "", ""},
    {"/v2/models/stats", ServeAllStatistics, "", "", "", ""},
    {"/v2/models/stats/stats", ServeModelStatistics, "stats", "", "", ""},
    {"/v2/models/stats/infer", ServeInfer, "stats", "", "", ""},
    {"/v2/models/m/stats", ServeModelStatistics, "m", "", "", ""},
    {"/v2/models/m/versions/1/stats", ServeModelStatistics, "m", "1", "", ""},
    {"/v2/models/m/infer", ServeInfer, "m", "", "", ""},
    {"/v2/models/versions/versions/007/infer", ServeInfer, "versions", "007", "", ""},
    {"/v2/models/a%2fb/infer", ServeInfer, "a%2fb", "", "", ""},
    {"/v2/models/m/generate", ServeGenerate, "m", "", "", ""},
    {"/v2/models/m/versions/1/generate", ServeGenerate, "m", "1", "", ""},
    {"/v2/models/m/generate_stream", ServeGenerateStream, "m", "", "", ""},
    {"/v2/models/m/versions/1/generate_stream", ServeGenerateStream, "m", "1", "", ""},
    {"/v2/models/m/trace/setting", ServeTraceSetting, "m", "", "", ""},
    {"/v2/trace/setting", ServeTraceSetting, "", "", "", ""},
    {"/v2/logging", ServeLogSettings, "", "", "", ""},
    {"/v2/repository/index", ServeRepositoryIndex, "", "", "", ""},
    {"/v2/repository/r/index", ServeRepositoryIndex, "", "", "r", ""},
    {"/v2/repository/models/m/load", ServeModelLoad, "m", "", "", ""},
    {"/v2/repository/models/m/unload", ServeModelUnload, "m", "", "", ""},
    {"/v2/repository/r/models/m/load", ServeModelLoad, "m", "", "r", ""},
    {"/v2/repository/r/models/m/unload", ServeModelUnload, "m", "", "r", ""},
    {"/v2/repository/models/models/m/load", ServeModelLoad, "m", "", "models", ""},
    {"/v2/systemsharedmemory/status", ServeSystemSharedMemoryStatus, "", "", "", ""},
    {"/v2/systemsharedmemory/region/r/status", ServeSystemSharedMemoryStatus, "", "", "", "r"},
    {"/v2/systemsharedmemory/region/r/register", ServeSystemSharedMemoryRegister, "", "", "", "r"},
    {"/v2/systemsharedmemory/unregister", ServeSystemSharedMemoryUnregister, "", "", "", ""},
    {"/v2/systemsharedmemory/region/r/unregister", ServeSystemSharedMemoryUnregister, "", "", "",
     "r"},
    {"/v2/cudasharedmemory/status", ServeCudaSharedMemoryStatus, "", "", "", ""},
    {"/v2/cudasharedmemory/region/r/status", ServeCudaSharedMemoryStatus, "", "", "", "r"},
    {"/v2/cudasharedmemory/region/r/register", ServeCudaSharedMemoryRegister, "", "", "", "r"},
    {"/v2/cudasharedmemory/unregister", ServeCudaSharedMemoryUnregister, "", "", "", ""},
    {"/v2/cudasharedmemory/region/r/unregister", ServeCudaSharedMemoryUnregister, "", "", "", "r"},
};
INSTANTIATE_TEST_SUITE_P(Matching, V2RouterTest, testing::ValuesIn(kMatching));

constexpr Expectation kMissing[] = {
    {"", nullptr, "", "", "", ""},
    {"/", nullptr, "", "", "", ""},
    {"*", nullptr, "", "", "", ""},
    {"//", nullptr, "", "", "", ""},
    {"/v2/", nullptr, "", "", "", ""},
    {"//v2", nullptr, "", "", "", ""},
    {"/V2", nullptr, "", "", "", ""},
    {"/v1", nullptr, "", "", "", ""},
    {"v2", nullptr, "", "", "", ""},
    {"/v2/../v2", nullptr, "", "", "", ""},
    {"/%76%32", nullptr, "", "", "", ""},
    {"/v2/health", nullptr, "", "", "", ""},
    {"/v2/health/live/", nullptr, "", "", "", ""},
    {"/v2/health/liveness", nullptr, "", "", "", ""},
    {"/v2/models", nullptr, "", "", "", ""},
    {"/v2/models/", nullptr, "", "", "", ""},
    {"/v2/models//infer", nullptr, "", "", "", ""},
    {"/v2/models/m/", nullptr, "", "", "", ""},
    {"/v2/models/m/infer/", nullptr, "", "", "", ""},
    {"/v2/models/m/infer/x", nullptr, "", "", "", ""},
    {"/v2/models/a/b/infer", nullptr, "", "", "", ""},
    {"/v2/models/m/versions", nullptr, "", "", "", ""},
    {"/v2/models/m/versions/", nullptr, "", "", "", ""},
    {"/v2/models/m/versions/abc/infer", nullptr, "", "", "", ""},
    {"/v2/models/m/versions/-1/infer", nullptr, "", "", "", ""},
    {"/v2/models/m/versions/1x/infer", nullptr, "", "", "", ""},
    {"/v2/models/m/versions/1/trace/setting", nullptr, "", "", "", ""},
    {"/v2/repository//index", nullptr, "", "", "", ""},
    {"/v2/repository/a/b/index", nullptr, "", "", "", ""},
    {"/v2/repository/models/m", nullptr, "", "", "", ""},
    {"/v2/systemsharedmemory/register", nullptr, "", "", "", ""},
    {"/v2/systemsharedmemory/region//status", nullptr, "", "", "", ""},
};
INSTANTIATE_TEST_SUITE_P(Missing, V2RouterTest, testing::ValuesIn(kMissing));

TEST(RouterTest, Match_EndsSoon_WhenPathIsHostile) {
  const std::string slashes(8192, '/');
  EXPECT_FALSE(V2Router().Match(slashes));
  std::string models;
  while (models.size() < 8192) {
    models += "/models";
  }
  EXPECT_FALSE(V2Router().Match("/v2" + models));
}

TEST(RouterTest, Match_FindsEveryRouteOfTheTable_WhenPlaceholdersAreFilled) {
  for (const Route& route : V2Router().routes()) {
    std::string path(route.pattern);
    for (const auto& [placeholder, text] : {std::pair("{model}", "m"),
                                            {"{version}", "1"},
                                            {"{repository}", "r"},
                                            {"{region}", "g"},
                                            {"{rest}", "1/x"}}) {
      if (const auto at = path.find(placeholder); at != std::string::npos) {
        path.replace(at, std::string_view(placeholder).size(), text);
      }
    }
    const std::optional<RouteMatch> match = V2Router().Match(path);
    ASSERT_TRUE(match) << path;
    EXPECT_EQ(match->route, &route) << path;
  }
}

TEST(RouterTest, Operations_CoverAllClassesOfTheContract_ButMetrics) {
  std::set<std::string_view> names;
  for (const Route& route : V2Router().routes()) {
    names.insert(OperationClassName(route.operation));
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"health", "inference", "logging", "metadata",
                                               "model-config", "model-repository", "shared-memory",
                                               "statistics", "trace"}));
}

TEST(MethodSetTest, Allows_OnlyWhatTheAllowLineNames) {
  using net::HttpMethod;
  for (const HttpMethod method :
       {HttpMethod::kHead, HttpMethod::kPut, HttpMethod::kDelete, HttpMethod::kOptions,
        HttpMethod::kPatch, HttpMethod::kTrace, HttpMethod::kConnect, HttpMethod::kOther}) {
    EXPECT_FALSE(Allows(MethodSet::kGetAndPost, method));
  }
  EXPECT_TRUE(Allows(MethodSet::kGet, HttpMethod::kGet));
  EXPECT_FALSE(Allows(MethodSet::kGet, HttpMethod::kPost));
  EXPECT_TRUE(Allows(MethodSet::kPost, HttpMethod::kPost));
  EXPECT_FALSE(Allows(MethodSet::kPost, HttpMethod::kGet));
  EXPECT_EQ(AllowHeaderLine(MethodSet::kGetAndPost), "Allow: GET, POST\r\n");
}

// A row without an operation class is no route.
static_assert(!std::is_default_constructible_v<Route>);
static_assert(
    !std::is_constructible_v<Route, std::string_view, MethodSet, BodyRule, void (&)(Call&)>);

}  // namespace
}  // namespace headrace::frontend
