#include "telemetry/prometheus.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace headrace::telemetry {
namespace {

TEST(PrometheusWriterTest, Family_WritesHelpTypeAndSamples) {
  PrometheusWriter writer;
  writer.Family("nv_inference_count", MetricKind::kCounter, "Number of inferences");
  writer.Sample({{"model", "m"}, {"version", "1"}}, std::uint64_t{42});
  writer.Family("nv_cpu_utilization", MetricKind::kGauge, "Rate");
  writer.Sample({}, 0.25);
  EXPECT_EQ(writer.Take(),
            "# HELP nv_inference_count Number of inferences\n"
            "# TYPE nv_inference_count counter\n"
            "nv_inference_count{model=\"m\",version=\"1\"} 42\n"
            "# HELP nv_cpu_utilization Rate\n"
            "# TYPE nv_cpu_utilization gauge\n"
            "nv_cpu_utilization 0.25\n");
  EXPECT_EQ(writer.Take(), "");
}

TEST(PrometheusWriterTest, LabelValuesAndHelp_CannotBreakTheirLine) {
  PrometheusWriter writer;
  writer.Family("x", MetricKind::kGauge, "a\\b\n\"c\"");
  writer.Sample({{"l", "a\\b\n\"c\"} 1\nforged 2"}}, std::uint64_t{1});
  EXPECT_EQ(writer.Take(),
            "# HELP x a\\\\b\\n\"c\"\n"
            "# TYPE x gauge\n"
            "x{l=\"a\\\\b\\n\\\"c\\\"} 1\\nforged 2\"} 1\n");
}

TEST(PrometheusWriterTest, Values_AreShortAndLossless) {
  const auto text = [](auto value) {
    PrometheusWriter writer;
    writer.Family("x", MetricKind::kGauge, "");
    writer.Sample({}, value);
    const std::string page = writer.Take();
    return page.substr(page.rfind("\nx ") + 3);
  };
  EXPECT_EQ(text(UINT64_MAX), "18446744073709551615\n");
  EXPECT_EQ(text(0.1), "0.1\n");
  EXPECT_EQ(std::stod(text(1.0 / 3)), 1.0 / 3);
  EXPECT_EQ(text(std::numeric_limits<double>::infinity()), "+Inf\n");
  EXPECT_EQ(text(-std::numeric_limits<double>::infinity()), "-Inf\n");
  EXPECT_EQ(text(std::nan("")), "NaN\n");
}

TEST(PrometheusWriterTest, Histogram_HasCumulativeBucketsInfinitySumAndCount) {
  Histogram histogram;
  for (const std::uint64_t value : {500'000u, 900'000u, 3'000'000u, 50'000'000u}) {
    histogram.Record(value);
  }
  const std::uint64_t bounds[] = {1'000'000, 5'000'000};
  PrometheusWriter writer;
  writer.Family("queue_seconds", MetricKind::kHistogram, "Queue");
  writer.HistogramSample({{"model", "m"}}, histogram, bounds, 1e-9);
  writer.HistogramSample({}, Histogram(), {}, 1.0);
  EXPECT_EQ(writer.Take(),
            "# HELP queue_seconds Queue\n"
            "# TYPE queue_seconds histogram\n"
            "queue_seconds_bucket{model=\"m\",le=\"0.001\"} 2\n"
            "queue_seconds_bucket{model=\"m\",le=\"0.005\"} 3\n"
            "queue_seconds_bucket{model=\"m\",le=\"+Inf\"} 4\n"
            "queue_seconds_sum{model=\"m\"} 0.0544\n"
            "queue_seconds_count{model=\"m\"} 4\n"
            "queue_seconds_bucket{le=\"+Inf\"} 0\n"
            "queue_seconds_sum 0\n"
            "queue_seconds_count 0\n");
}

TEST(PrometheusWriterDeathTest, SampleWithoutFamily_Dies) {
  PrometheusWriter writer;
  EXPECT_DEATH(writer.Sample({}, 1.0), "check failed");
}

}  // namespace
}  // namespace headrace::telemetry
