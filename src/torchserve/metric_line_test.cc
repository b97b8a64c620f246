#include "torchserve/metric_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace headrace::torchserve {
namespace {

using telemetry::MetricKind;
using testing::ElementsAre;
using testing::Pair;

TEST(MetricLineTest, Parse_ReadsALineOfAWorker) {
  const auto line = ParseMetricLine(
      "[METRICS]PredictionTime.Milliseconds:0.14|#ModelName:echo,Level:Model|#type:GAUGE|#hostname:"
      "vm,1795996327,6162ec7d,7dab");
  ASSERT_TRUE(line.ok()) << line.status().message();
  EXPECT_EQ(line->name, "PredictionTime");
  EXPECT_EQ(line->unit, "Milliseconds");
  EXPECT_EQ(line->value, 0.14);
  EXPECT_THAT(line->dimensions, ElementsAre(Pair("ModelName", "echo"), Pair("Level", "Model")));
  EXPECT_EQ(line->kind, MetricKind::kGauge);
  EXPECT_EQ(line->hostname, "vm");
  EXPECT_EQ(line->timestamp_s, 1795996327);
  EXPECT_EQ(line->request_ids, "6162ec7d,7dab");
}

TEST(MetricLineTest, Parse_TakesWhatMayBeMissing) {
  const auto line = ParseMetricLine("a.b.Count:2|#|#hostname:h,1");
  ASSERT_TRUE(line.ok()) << line.status().message();
  EXPECT_EQ(line->name, "a.b");
  EXPECT_TRUE(line->dimensions.empty());
  EXPECT_FALSE(line->kind.has_value());
  EXPECT_EQ(line->request_ids, "");
}

TEST(MetricLineTest, Parse_RefusesWhatIsNone) {
  for (const std::string_view text :
       {"", "a", "a.b", "a.b:", "a.b:1", "a.b:x|#|#hostname:h,1", "a.b:nan|#|#hostname:h,1",
        "ab:1|#|#hostname:h,1", ".b:1|#|#hostname:h,1", "a.b:1|#:v|#hostname:h,1",
        "a.b:1|#|#type:SUMMARY|#hostname:h,1", "a.b:1|#|#hostname:h", "a.b:1|#|#hostname:h,x"}) {
    EXPECT_FALSE(ParseMetricLine(text).ok()) << text;
  }
  EXPECT_FALSE(ParseMetricLine(std::string(5000, 'a')).ok());
}

TEST(MetricLineTest, JavaDouble_LooksLikeJavas) {
  EXPECT_EQ(JavaDouble(0), "0.0");
  EXPECT_EQ(JavaDouble(1), "1.0");
  EXPECT_EQ(JavaDouble(30.196365356445312), "30.196365356445312");
  EXPECT_EQ(JavaDouble(9999999), "9999999.0");
  EXPECT_EQ(JavaDouble(1e7), "1.0E7");
  EXPECT_EQ(JavaDouble(12345678.5), "1.23456785E7");
  EXPECT_EQ(JavaDouble(0.0005), "5.0E-4");
  EXPECT_EQ(JavaDouble(-2.5), "-2.5");
  EXPECT_EQ(JavaDouble(std::numeric_limits<double>::infinity()), "+Inf");
}

TEST(MetricLineTest, Format_IsThatOfTorchServesLogs) {
  EXPECT_EQ(FormatMetricLine("Requests2XX", "Count", 1, {{"Level", "Host"}}, "vm", "", 7),
            "Requests2XX.Count:1.0|#Level:Host|#hostname:vm,timestamp:7");
  EXPECT_EQ(FormatMetricLine("PredictionTime", "ms", 0.14,
                             {{"ModelName", "echo"}, {"Level", "Model"}}, "vm", "a,b", 7),
            "PredictionTime.ms:0.14|#ModelName:echo,Level:Model|#hostname:vm,requestID:a,b,"
            "timestamp:7");
}

}  // namespace
}  // namespace headrace::torchserve
