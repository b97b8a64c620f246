#include "telemetry/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <thread>
#include <vector>

namespace headrace::telemetry {
namespace {

TEST(HistogramTest, Empty_AnswersZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.sum(), 0u);
  EXPECT_EQ(histogram.Quantile(0.99), 0u);
  EXPECT_EQ(histogram.CountAtMost(UINT64_MAX), 0u);
}

TEST(HistogramTest, Buckets_TileTheWholeRangeWithinOneSixteenth) {
  std::uint64_t first = 0;  // of the bucket
  for (int bucket = 0; bucket < Histogram::kBucketCount; ++bucket) {
    const std::uint64_t bound = Histogram::BucketBound(bucket);
    EXPECT_EQ(Histogram::BucketOf(first), bucket);
    EXPECT_EQ(Histogram::BucketOf(bound), bucket);
    EXPECT_LE(bound - first, first / 16) << bucket;
    first = bound + 1;
  }
  EXPECT_EQ(Histogram::BucketBound(Histogram::kBucketCount - 1), UINT64_MAX);
}

TEST(HistogramTest, SmallValues_AreExact) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 10; ++value) {
    histogram.Record(value);
  }
  EXPECT_EQ(histogram.count(), 10u);
  EXPECT_EQ(histogram.sum(), 55u);
  EXPECT_EQ(histogram.Quantile(0.0), 1u);
  EXPECT_EQ(histogram.Quantile(0.1), 1u);
  EXPECT_EQ(histogram.Quantile(0.5), 5u);
  EXPECT_EQ(histogram.Quantile(0.91), 10u);
  EXPECT_EQ(histogram.Quantile(1.0), 10u);
  EXPECT_EQ(histogram.CountAtMost(0), 0u);
  EXPECT_EQ(histogram.CountAtMost(7), 7u);
}

TEST(HistogramTest, Quantile_OutOfRangeIsTheNearestEnd) {
  Histogram histogram;
  histogram.Record(3);
  histogram.Record(9);
  EXPECT_EQ(histogram.Quantile(-1.0), 3u);
  EXPECT_EQ(histogram.Quantile(2.0), 9u);
}

TEST(HistogramTest, Extremes_AreCounted) {
  Histogram histogram;
  histogram.Record(0);
  histogram.Record(UINT64_MAX);
  EXPECT_EQ(histogram.Quantile(0.5), 0u);
  EXPECT_EQ(histogram.Quantile(1.0), UINT64_MAX);
  EXPECT_EQ(histogram.CountAtMost(UINT64_MAX - 1), 1u);
  EXPECT_EQ(histogram.CountAtMost(UINT64_MAX), 2u);
}

TEST(HistogramTest, Quantiles_OfManyScalesStayWithinTheErrorBound) {
  std::mt19937_64 random(3);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(random() >> (random() % 64));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double quantile : {0.001, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(quantile * 20'000));
    const std::uint64_t exact = values[rank - 1];
    const std::uint64_t answer = histogram.Quantile(quantile);
    EXPECT_GE(answer, exact);
    EXPECT_LE(answer - exact, exact / 16) << quantile;
  }
}

TEST(HistogramTest, CountAtMost_IsExactAtBucketBoundsAndNeverTooHigh) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 5000; ++value) {
    histogram.Record(value);
  }
  for (int bucket = 0; Histogram::BucketBound(bucket) < 5000; ++bucket) {
    const std::uint64_t bound = Histogram::BucketBound(bucket);
    EXPECT_EQ(histogram.CountAtMost(bound), bound + 1);
  }
  for (std::uint64_t bound = 0; bound < 5000; ++bound) {
    EXPECT_LE(histogram.CountAtMost(bound), bound + 1);
    EXPECT_GE(histogram.CountAtMost(bound) + bound / 16 + 1, bound + 1);
  }
}

TEST(HistogramTest, CumulativeCounts_AgreeWithCountAtMost) {
  std::mt19937_64 random(5);
  Histogram histogram;
  for (int i = 0; i < 1000; ++i) {
    histogram.Record(random() % 100'000);
  }
  const std::vector<std::uint64_t> bounds = {0,    15,     16,        17,        1000,
                                             1000, 65'536, 1'000'000, UINT64_MAX};
  std::vector<std::uint64_t> counts(bounds.size());
  EXPECT_EQ(histogram.CumulativeCounts(bounds, counts), 1000u);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    EXPECT_EQ(counts[i], histogram.CountAtMost(bounds[i])) << bounds[i];
  }
  EXPECT_EQ(histogram.CumulativeCounts({}, {}), 1000u);
}

TEST(HistogramTest, Merge_EqualsRecordingEverythingInOne) {
  Histogram left, right, both;
  for (std::uint64_t value = 1; value < 1'000'000; value = value * 3 / 2 + 1) {
    (value % 2 == 0 ? left : right).Record(value);
    both.Record(value);
  }
  left.Merge(right);
  EXPECT_EQ(left.count(), both.count());
  EXPECT_EQ(left.sum(), both.sum());
  for (int bucket = 0; bucket < Histogram::kBucketCount; ++bucket) {
    const std::uint64_t bound = Histogram::BucketBound(bucket);
    EXPECT_EQ(left.CountAtMost(bound), both.CountAtMost(bound));
  }
}

TEST(HistogramTest, ManyThreads_LoseNoSample) {
  Histogram histogram;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&histogram] {
      for (std::uint64_t n = 0; n < 5000; ++n) {
        histogram.Record(n);
        if (n % 1000 == 0) {
          EXPECT_LE(histogram.Quantile(0.5), Histogram::BucketBound(Histogram::BucketOf(4999)));
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(histogram.count(), 20'000u);
  EXPECT_EQ(histogram.sum(), 4u * 4999u * 5000u / 2u);
}

}  // namespace
}  // namespace headrace::telemetry
