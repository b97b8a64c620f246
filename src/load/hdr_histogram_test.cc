#include "load/hdr_histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "load/random.h"

namespace headrace::load {
namespace {

using ::testing::HasSubstr;

TEST(HdrHistogramTest, Empty_HasZeros) {
  const HdrHistogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), 0);
  EXPECT_EQ(histogram.ValueAtPercentile(99), 0);
  EXPECT_EQ(histogram.Mean(), 0);
  EXPECT_TRUE(histogram.Buckets().empty());
}

TEST(HdrHistogramTest, SmallValues_AreExact) {
  HdrHistogram histogram;
  for (int value = 1; value <= 100; ++value) {
    histogram.Record(value);
  }
  EXPECT_EQ(histogram.ValueAtPercentile(50), 50);
  EXPECT_EQ(histogram.ValueAtPercentile(99), 99);
  EXPECT_EQ(histogram.ValueAtPercentile(100), 100);
  EXPECT_EQ(histogram.ValueAtRank(1), 1);
  EXPECT_DOUBLE_EQ(histogram.Mean(), 50.5);
  EXPECT_NEAR(histogram.Deviation(), 28.866, 0.001);
  EXPECT_EQ(histogram.CountAtMost(70), 70U);
}

TEST(HdrHistogramTest, Percentiles_AreWithinAThousandth_OfTheSortedSamples) {
  HdrHistogram histogram;
  Random random(7);
  std::vector<std::int64_t> samples;
  for (int i = 0; i < 50'000; ++i) {
    // From microseconds to minutes.
    samples.push_back(static_cast<std::int64_t>(1e3 * std::pow(10, 8 * random.Uniform())));
    histogram.Record(samples.back());
  }
  std::sort(samples.begin(), samples.end());
  for (const std::size_t rank : {1U, 500U, 25'000U, 49'500U, 49'999U, 50'000U}) {
    const auto exact = static_cast<double>(samples[rank - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.ValueAtRank(rank)), exact, exact * 0.001) << rank;
  }
  EXPECT_EQ(histogram.min(), samples.front());
  EXPECT_EQ(histogram.max(), samples.back());
}

TEST(HdrHistogramTest, Buckets_HoldTheirValues_AtEveryPowerOfTwo) {
  for (int bit = 0; bit < 42; ++bit) {
    for (const std::int64_t offset : {-1, 0, 1}) {
      const std::int64_t value = (std::int64_t{1} << bit) + offset;
      HdrHistogram histogram;
      histogram.Record(value);
      const auto buckets = histogram.Buckets();
      ASSERT_EQ(buckets.size(), 1U);
      EXPECT_LE(buckets[0].low, value);
      EXPECT_GE(buckets[0].high, value);
      EXPECT_LE(buckets[0].high - buckets[0].low, value / 1024) << value;
      EXPECT_EQ(histogram.ValueAtPercentile(50), value);  // bounded by min and max
    }
  }
}

TEST(HdrHistogramTest, Values_BeyondTheRange_CountAtItsEnds) {
  HdrHistogram histogram;
  histogram.Record(INT64_MAX);
  histogram.Record(-5);
  EXPECT_EQ(histogram.max(), HdrHistogram::kValueMax);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.count(), 2U);
}

TEST(HdrHistogramTest, Merge_EqualsRecordingIntoOne) {
  HdrHistogram one, two, both;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t value = i * 7919LL * 7919LL;
    (i % 3 == 0 ? one : two).Record(value, 2);
    both.Record(value, 2);
  }
  one.Merge(two);
  one.Merge(HdrHistogram());
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.min(), both.min());
  EXPECT_EQ(one.max(), both.max());
  EXPECT_EQ(one.PercentileText(1000), both.PercentileText(1000));
}

TEST(HdrHistogramTest, ValueAtPercentile_TakesTheRankThatIsMeant_DespiteRounding) {
  HdrHistogram histogram;
  for (int value = 1; value <= 1000; ++value) {
    histogram.Record(value);
  }
  EXPECT_EQ(histogram.ValueAtPercentile(99.9), 999);
  EXPECT_EQ(histogram.ValueAtPercentile(99.0), 990);
  EXPECT_EQ(histogram.ValueAtPercentile(0), 1);
}

TEST(HdrHistogramTest, PercentileText_IsTheHgrmForm) {
  HdrHistogram histogram;
  for (int value = 1; value <= 100; ++value) {
    histogram.Record(value * 1000);
  }
  const std::string text = histogram.PercentileText(1000);
  EXPECT_THAT(text, HasSubstr("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"));
  EXPECT_THAT(text, HasSubstr("#[Mean    =       50.500, StdDeviation   =       28.866]\n"));
  EXPECT_THAT(text, HasSubstr("#[Max     =      100.000, Total count    =          100]\n"));
  // Value, percentile and count rise from line to line and end at the maximum.
  std::istringstream lines(text.substr(text.find("\n\n") + 2));
  double value = 0, level = 0, last_value = 0, last_level = -1;
  std::uint64_t count = 0;
  int line_count = 0;
  for (std::string line; std::getline(lines, line) && line[0] != '#'; ++line_count) {
    std::istringstream(line) >> value >> level >> count;
    EXPECT_GE(value, last_value);
    EXPECT_GT(level, last_level);
    EXPECT_GE(static_cast<double>(count), level * 100 - 1e-9);
    last_value = value;
    last_level = level;
  }
  EXPECT_GT(line_count, 20);
  EXPECT_DOUBLE_EQ(value, 100);
  EXPECT_EQ(count, 100U);
  EXPECT_DOUBLE_EQ(level, 1);
}

}  // namespace
}  // namespace headrace::load
