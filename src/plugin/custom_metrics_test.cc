#include "plugin/custom_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::plugin {
namespace {

using ::testing::HasSubstr;

TEST(CustomMetricsTest, EqualLabelsShareOneSeries) {
  CustomMetrics metrics;
  auto* family = *metrics.NewFamily(TRITONSERVER_METRIC_KIND_COUNTER, "seen", "Inputs seen.");
  auto* a = *metrics.NewMetric(family, {{"x", "1"}, {"y", "2"}}, {});
  auto* b = *metrics.NewMetric(family, {{"y", "2"}, {"x", "1"}}, {});
  EXPECT_TRUE(metrics.Increment(*a, 2).ok());
  EXPECT_TRUE(metrics.Increment(*b, 3).ok());
  EXPECT_EQ(5, *metrics.Value(*a));
  telemetry::PrometheusWriter writer;
  metrics.Collect(writer);
  EXPECT_EQ("# HELP seen Inputs seen.\n# TYPE seen counter\nseen{x=\"1\",y=\"2\"} 5\n",
            writer.Take());
  EXPECT_EQ(StatusCode::kInternal, metrics.DeleteFamily(family).code());
  metrics.DeleteMetric(a);
  EXPECT_EQ(5, *metrics.Value(*b));
  metrics.DeleteMetric(b);
  EXPECT_TRUE(metrics.DeleteFamily(family).ok());
}

TEST(CustomMetricsTest, HoldersOfOneNameShareTheFamily) {
  CustomMetrics metrics;
  auto* first = *metrics.NewFamily(TRITONSERVER_METRIC_KIND_GAUGE, "g", "G.");
  auto* second = *metrics.NewFamily(TRITONSERVER_METRIC_KIND_GAUGE, "g", "G.");
  auto* metric = *metrics.NewMetric(first, {}, {});
  EXPECT_TRUE(metrics.DeleteFamily(second).ok());
  EXPECT_EQ(StatusCode::kInternal, metrics.DeleteFamily(first).code());
  metrics.DeleteMetric(metric);
  EXPECT_TRUE(metrics.DeleteFamily(first).ok());
}

TEST(CustomMetricsTest, EachKindAllowsItsOwnOperations) {
  CustomMetrics metrics;
  auto* counter =
      *metrics.NewMetric(*metrics.NewFamily(TRITONSERVER_METRIC_KIND_COUNTER, "c", "C."), {}, {});
  auto* gauge =
      *metrics.NewMetric(*metrics.NewFamily(TRITONSERVER_METRIC_KIND_GAUGE, "g", "G."), {}, {});
  auto* histogram = *metrics.NewMetric(
      *metrics.NewFamily(TRITONSERVER_METRIC_KIND_HISTOGRAM, "h", "H."), {}, {0.5, 1});
  EXPECT_EQ(StatusCode::kInvalidArgument, metrics.Increment(*counter, -1).code());
  EXPECT_EQ(StatusCode::kUnimplemented, metrics.Set(*counter, 1).code());
  EXPECT_EQ(StatusCode::kUnimplemented, metrics.Observe(*gauge, 1).code());
  EXPECT_TRUE(metrics.Set(*gauge, 4).ok());
  EXPECT_TRUE(metrics.Increment(*gauge, -1).ok());
  EXPECT_EQ(3, *metrics.Value(*gauge));
  EXPECT_EQ(StatusCode::kUnimplemented, metrics.Value(*histogram).status().code());
  for (const double value : {0.5, 0.75, 3.0}) {
    EXPECT_TRUE(metrics.Observe(*histogram, value).ok());
  }
  telemetry::PrometheusWriter writer;
  metrics.Collect(writer);
  EXPECT_THAT(writer.Take(), HasSubstr("h_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1\"} 2\n"
                                       "h_bucket{le=\"+Inf\"} 3\nh_sum 4.25\nh_count 3\n"));
  for (auto* metric : {counter, gauge, histogram}) {
    metrics.DeleteMetric(metric);
  }
}

TEST(CustomMetricsTest, RefusesNamesThatWouldSpoilThePage) {
  CustomMetrics metrics;
  for (const char* name : {"", "1x", "a b", "a\n", "nv_inference_count", "headrace_x"}) {
    EXPECT_FALSE(metrics.NewFamily(TRITONSERVER_METRIC_KIND_GAUGE, name, "").ok()) << name;
  }
  auto* family = *metrics.NewFamily(TRITONSERVER_METRIC_KIND_GAUGE, "g", "G.");
  EXPECT_FALSE(metrics.NewFamily(TRITONSERVER_METRIC_KIND_COUNTER, "g", "G.").ok());
  EXPECT_FALSE(metrics.NewMetric(family, {{"a-b", "1"}}, {}).ok());
  EXPECT_FALSE(metrics.NewMetric(family, {}, {1.0}).ok());
}

TEST(CustomMetricsTest, OnlyACacheLibraryHasTheFamiliesOfACache) {
  CustomMetrics metrics;
  const auto make = [&metrics](const char* name) {
    return metrics.NewFamily(TRITONSERVER_METRIC_KIND_GAUGE, name, "").ok();
  };
  EXPECT_FALSE(make("nv_cache_util"));
  metrics.AdmitCacheFamilies();
  EXPECT_TRUE(make("nv_cache_util"));
  EXPECT_FALSE(make("nv_cache_num_hits_per_model"));
  EXPECT_FALSE(make("nv_inference_count"));
}

}  // namespace
}  // namespace headrace::plugin
