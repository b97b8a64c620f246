#include "load/metrics_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace headrace::load {
namespace {

using ::testing::HasSubstr;

TEST(MetricsTextTest, ReadsFamiliesWithTheirSamples) {
  const auto families = ReadMetrics(
      "# HELP nv_inference_count n\n# TYPE nv_inference_count counter\n"
      "nv_inference_count{model=\"a\",version=\"1\"} 5\r\n"
      "nv_inference_count{ model = \"b\" , version=\"1\", } 7 1700000000\n"
      "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 1.5\nh_count 3\nfree +Inf\n"
      "odd{text=\"a\\\"b\\\\c\\nd\"} NaN # {trace_id=\"x\"} 1\n");
  ASSERT_TRUE(families.ok()) << families.status().ToString();
  EXPECT_EQ(families->at("nv_inference_count").type, "counter");
  EXPECT_EQ(SumOf(*families, "nv_inference_count"), 12);
  EXPECT_EQ(SumOf(*families, "nv_inference_count", {{"model", "b"}}), 7);
  EXPECT_EQ(SumOf(*families, "nv_inference_count", {{"model", "c"}}), std::nullopt);
  EXPECT_EQ(families->at("h").samples.size(), 3u);
  EXPECT_EQ(SumOf(*families, "h_sum"), 1.5);
  EXPECT_EQ(SumOf(*families, "none"), std::nullopt);
  EXPECT_TRUE(std::isinf(*SumOf(*families, "free")));
  EXPECT_EQ(*families->at("odd").samples[0].Label("text"), "a\"b\\c\nd");
  EXPECT_TRUE(std::isnan(families->at("odd").samples[0].value));
}

TEST(MetricsTextTest, FaultsNameTheLine) {
  for (const char* line : {"x{a=\"1} 1", "x{a=1} 1", "{} 1", "x", "x y", "x{a=\"1\"", "x{a=\"1\",",
                           "x{a=\"1\"b=\"2\"} 1", "x 1e"}) {
    const auto families = ReadMetrics(std::string("good 1\n") + line);
    EXPECT_FALSE(families.ok()) << line;
    EXPECT_THAT(families.status().message(), HasSubstr("line 2")) << line;
  }
}

}  // namespace
}  // namespace headrace::load
