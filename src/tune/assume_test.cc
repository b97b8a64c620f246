#include "tune/assume.h"

#include <gtest/gtest.h>

namespace headrace::tune {
namespace {

constexpr Shape kOne{.instances = 1, .threads = 1}, kTwo{.instances = 2, .threads = 1};
constexpr Shape kWide{.instances = 1, .threads = 2}, kCrowded{.instances = 4, .threads = 1};
constexpr int kCores = 2;
const std::vector<std::int64_t> kBatches = {1, 2, 4, 8};

ServiceSample Sample(double mean) {
  return {.quantiles = {static_cast<Nanos>(mean), static_cast<Nanos>(2 * mean)},
          .count = 10,
          .mean = mean,
          .memory_bytes = 7};
}

TEST(AssumeMissing, TakesTheProportionOfAnotherShape) {
  ServiceTimes times;
  times.Add({"v", kWide}, 1, Sample(10));
  times.Add({"v", kWide}, 4, Sample(25));
  times.Add({"w", kOne}, 8, Sample(3));  // another variant says nothing
  times.Add({"v", kTwo}, 1, Sample(14));
  EXPECT_TRUE(AssumeMissing(times, "v", kTwo, kBatches, kCores));
  const ServiceSample* four = times.Find({"v", kTwo}, 4);
  ASSERT_NE(four, nullptr);
  EXPECT_DOUBLE_EQ(four->mean, 35);
  EXPECT_EQ(four->quantiles, (std::vector<Nanos>{35, 70}));
  EXPECT_EQ(four->count, 0u);
  EXPECT_EQ(four->memory_bytes, 7u);
  EXPECT_NEAR(four->rate, 2 * 4 / 35e-9, 1);
  EXPECT_EQ(times.Find({"v", kTwo}, 2), nullptr);
  EXPECT_EQ(times.Find({"v", kTwo}, 8), nullptr);
  // What is assumed is no ground for more.
  EXPECT_FALSE(AssumeMissing(times, "v", kWide, kBatches, kCores));
}

TEST(AssumeMissing, TakesTheProportionFromBetweenTwoSizes) {
  ServiceTimes times;
  times.Add({"v", kWide}, 1, Sample(10));
  times.Add({"v", kWide}, 8, Sample(45));
  times.Add({"v", kTwo}, 1, Sample(14));
  times.Add({"v", kTwo}, 4, Sample(50));
  EXPECT_TRUE(AssumeMissing(times, "v", kTwo, kBatches, kCores));
  EXPECT_DOUBLE_EQ(times.Find({"v", kTwo}, 8)->mean, 90);  // 45 / 25 of 50
}

TEST(AssumeMissing, BeginsWithASingleInstance_WhereAllHaveCores) {
  ServiceTimes times;
  times.Add({"v", kOne}, 1, Sample(10));
  times.Add({"v", kWide}, 1, Sample(6));
  times.Add({"v", kWide}, 8, Sample(30));
  EXPECT_TRUE(AssumeMissing(times, "v", kTwo, kBatches, kCores));
  EXPECT_DOUBLE_EQ(times.Find({"v", kTwo}, 1)->mean, 10);
  EXPECT_DOUBLE_EQ(times.Find({"v", kTwo}, 8)->mean, 50);
  EXPECT_FALSE(AssumeMissing(times, "v", kCrowded, kBatches, kCores));
  EXPECT_EQ(times.FindColumn({"v", kCrowded}), nullptr);
  EXPECT_FALSE(AssumeMissing(times, "unknown", kTwo, kBatches, kCores));
}

}  // namespace
}  // namespace headrace::tune
