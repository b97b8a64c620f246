#include "torchserve/metrics_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::torchserve {
namespace {

using telemetry::MetricKind;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(MetricsCatalogTest, Parse_ReadsListsAndAnchors) {
  const auto catalog = MetricsCatalog::Parse(R"(
dimensions:
  - &level "Level"
  - &host "Hostname"
ts_metrics:
  counter:
    - name: Requests2XX
      unit: Count
      dimensions: [*level, *host]
  histogram:
model_metrics:
  histogram:
    - {name: mine, unit: ms, dimensions: [ModelName]}
  gauge:
    - {name: bare, unit: ms}
)");
  ASSERT_TRUE(catalog.ok()) << catalog.status().message();
  ASSERT_EQ(catalog->server.size(), 1U);
  EXPECT_EQ(catalog->server[0].name, "Requests2XX");
  EXPECT_THAT(catalog->server[0].dimensions, ElementsAre("Level", "Hostname"));
  ASSERT_NE(catalog->FindModel("mine"), nullptr);
  EXPECT_EQ(catalog->FindModel("mine")->kind, MetricKind::kHistogram);
  EXPECT_TRUE(catalog->FindModel("bare")->dimensions.empty());
  EXPECT_EQ(catalog->FindServer("mine"), nullptr);
}

TEST(MetricsCatalogTest, Parse_NamesTheMetricAtFault) {
  const auto fault = [](std::string_view yaml) {
    const auto catalog = MetricsCatalog::Parse(yaml);
    return catalog.ok() ? std::string() : catalog.status().message();
  };
  EXPECT_THAT(fault("ts_metrics: {counter: [{name: a}]}"),
              HasSubstr("ts_metrics.counter: metric 'a' needs a name and a unit"));
  EXPECT_THAT(fault("ts_metrics: {summary: []}"), HasSubstr("ts_metrics.summary"));
  EXPECT_THAT(fault("ts_metrics: {gauge: {name: a}}"), HasSubstr("must be a list"));
  EXPECT_THAT(fault("model_metrics: {gauge: [{name: 'a b', unit: ms}]}"), HasSubstr("'a b'"));
  EXPECT_THAT(fault("model_metrics: {gauge: [{name: a, unit: ms, dimensions: ['x:y']}]}"),
              HasSubstr("dimension"));
  EXPECT_THAT(
      fault("model_metrics: {gauge: [{name: a, unit: ms}], counter: [{name: a, unit: ms}]}"),
      HasSubstr("twice"));
  EXPECT_THAT(fault("ts_metrics: [1"), testing::Not(""));
  EXPECT_THAT(fault("ts_metrics: !!python/object:os.system {}"), testing::Not(""));
}

TEST(MetricsCatalogTest, Default_HasWhatTorchServeShips) {
  const MetricsCatalog catalog = MetricsCatalog::Default();
  EXPECT_EQ(catalog.server.size(), 19U);
  EXPECT_EQ(catalog.model.size(), 2U);
  EXPECT_THAT(catalog.FindServer("GPUMemoryUsed")->dimensions,
              ElementsAre("Level", "DeviceId", "Hostname"));
  EXPECT_EQ(catalog.FindModel("PredictionTime")->unit, "ms");
}

TEST(MetricsCatalogTest, ModelMetricsJson_LeavesTheHostToTheServer) {
  const auto catalog = MetricsCatalog::Parse(
      "model_metrics: {histogram: [{name: a, unit: ms, dimensions: [Kind, Hostname]}],"
      " counter: [{name: b, unit: count}]}");
  ASSERT_TRUE(catalog.ok());
  EXPECT_EQ(catalog->ModelMetricsJson(),
            R"([{"name":"a","unit":"ms","kind":"histogram","dimensions":["Kind"]},)"
            R"({"name":"b","unit":"count","kind":"counter","dimensions":[]}])");
}

TEST(MetricsCatalogTest, Read_SaysWhichFileCannotBeRead) {
  EXPECT_THAT(MetricsCatalog::Read("/nowhere/metrics.yaml").status().message(),
              HasSubstr("/nowhere/metrics.yaml"));
}

}  // namespace
}  // namespace headrace::torchserve
