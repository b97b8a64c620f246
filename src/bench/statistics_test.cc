#include "bench/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace headrace::bench {
namespace {

TEST(BinomialTest, BinomialAtMost_AgreesWithSums_OfSmallCases) {
  EXPECT_NEAR(BinomialAtMost(10, 3, 0.5), 176.0 / 1024, 1e-12);
  EXPECT_NEAR(BinomialAtMost(5, 0, 0.2), std::pow(0.8, 5), 1e-12);
  EXPECT_NEAR(BinomialAtMost(20, 18, 0.9), 0.6082533, 1e-6);
  EXPECT_EQ(BinomialAtMost(7, 7, 0.3), 1);
}

TEST(BinomialTest, BinomialAtMost_HoldsForMillions) {
  EXPECT_NEAR(BinomialAtMost(10'000'000, 9'900'000, 0.99), 0.5, 0.01);
}

// The table of MLPerf's LoadGen at 99 % confidence.
TEST(EarlyStoppingTest, EarlyStoppingCount_IsLoadGensTable) {
  struct Row {
    double percentile;
    std::uint64_t counts[5];
  };
  const Row rows[] = {{90, {44, 64, 127, 197, 681}},
                      {95, {90, 130, 259, 398, 1372}},
                      {99, {459, 662, 1307, 2010, 6898}},
                      {99.9, {4603, 6636, 13105, 20140, 69058}}};
  const std::uint64_t over[] = {0, 1, 5, 10, 50};
  for (const Row& row : rows) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(EarlyStoppingCount(row.percentile, over[i]), row.counts[i])
          << "p" << row.percentile << " with " << over[i] << " over";
    }
  }
}

TEST(EarlyStoppingTest, TestSla_DecidesBothWays_AndNotBetween) {
  EXPECT_EQ(TestSla(459, 0, 99), SlaDecision::kMet);
  EXPECT_EQ(TestSla(458, 0, 99), SlaDecision::kUndecided);
  EXPECT_EQ(TestSla(1000, 10, 99), SlaDecision::kUndecided);
  EXPECT_EQ(TestSla(1000, 30, 99), SlaDecision::kMissed);
  EXPECT_EQ(TestSla(2, 2, 99), SlaDecision::kMissed);
  EXPECT_EQ(TestSla(0, 0, 99), SlaDecision::kUndecided);
}

// The 95 % interval of a measured p99, as percentiles of the sample.
TEST(PercentileTest, PercentileRanks_NarrowWithTheSample) {
  const RankInterval thousand = PercentileRanks(1000, 99);
  EXPECT_NEAR(thousand.low / 1000.0, 0.984, 0.0011);
  EXPECT_NEAR(thousand.high / 1000.0, 0.996, 0.0011);
  const RankInterval five = PercentileRanks(5000, 99);
  EXPECT_NEAR(five.low / 5000.0, 0.987, 0.0005);
  EXPECT_NEAR(five.high / 5000.0, 0.993, 0.0005);
  const RankInterval twenty = PercentileRanks(20'000, 99);
  EXPECT_NEAR(twenty.low / 20'000.0, 0.989, 0.0005);
  EXPECT_NEAR(twenty.high / 20'000.0, 0.991, 0.0005);
}

// The known interval of a median of 10: the 2nd and the 9th (97.9 %).
TEST(PercentileTest, PercentileRanks_OfAMedianOfTen_AreTheSecondAndTheNinth) {
  const RankInterval ranks = PercentileRanks(10, 50);
  EXPECT_EQ(ranks.low, 2u);
  EXPECT_EQ(ranks.high, 9u);
}

TEST(PercentileTest, PercentileRanks_AreOutOfTheSample_WhenItIsTooSmall) {
  EXPECT_EQ(SamplesForPercentile(99), 368u);
  EXPECT_EQ(PercentileRanks(367, 99).high, 368u);  // none of the sample's
  EXPECT_EQ(PercentileRanks(368, 99).high, 368u);  // its largest
  EXPECT_EQ(PercentileRanks(3, 1).low, 0u);
}

TEST(PercentileTest, PercentileRank_IsTheNearest) {
  EXPECT_EQ(PercentileRank(100, 99), 99u);
  EXPECT_EQ(PercentileRank(101, 99), 100u);
  EXPECT_EQ(PercentileRank(1000, 99.9), 999u);
  EXPECT_EQ(PercentileRank(1, 50), 1u);
  EXPECT_EQ(PercentileRank(10, 0), 1u);
  EXPECT_EQ(PercentileRank(10, 100), 10u);
}

TEST(TrendTest, MannKendall_HasTheTablesExactProbabilities) {
  EXPECT_NEAR(MannKendall(std::vector<double>{1, 2, 3, 4}).p_value, 2.0 / 24, 1e-12);
  EXPECT_NEAR(MannKendall(std::vector<double>{5, 4, 3, 2, 1}).p_value, 2.0 / 120, 1e-12);
  // Five values, S = 6: one-sided 0.117 in Kendall's table.
  EXPECT_NEAR(MannKendall(std::vector<double>{1, 2, 4, 5, 3}).p_value, 2 * 0.117, 1e-3);
}

TEST(TrendTest, MannKendall_SeesATrendAndItsSlope_AmongNoise) {
  std::vector<double> rising;
  std::vector<double> level;
  for (int i = 0; i < 30; ++i) {
    const double noise = (i * 7 % 5) - 2;
    rising.push_back(100 + 2 * i + noise);
    level.push_back(100 + noise);
  }
  EXPECT_LT(MannKendall(rising).p_value, 0.001);
  EXPECT_NEAR(MannKendall(rising).slope, 2, 0.2);
  EXPECT_GT(MannKendall(level).p_value, 0.2);
}

TEST(TrendTest, MannKendall_SaysNothing_OfEqualOrFewValues) {
  EXPECT_EQ(MannKendall(std::vector<double>(20, 5.0)).p_value, 1);
  EXPECT_EQ(MannKendall(std::vector<double>{1, 2, 3}).p_value, 1);
  EXPECT_EQ(MannKendall({}).p_value, 1);
}

TEST(MeanTest, TQuantile_IsTheTables) {
  EXPECT_NEAR(TQuantile(1, 0.95), 12.706, 1e-3);
  EXPECT_NEAR(TQuantile(9, 0.95), 2.262, 1e-3);
  EXPECT_NEAR(TQuantile(30, 0.99), 2.750, 1e-3);
  EXPECT_NEAR(TQuantile(1e6, 0.95), 1.960, 1e-3);
}

TEST(MeanTest, MeanInterval_IsStudents) {
  const Estimate mean = MeanInterval(std::vector<double>{98, 100, 102, 99, 101});
  EXPECT_DOUBLE_EQ(mean.value, 100);
  EXPECT_NEAR(mean.high - mean.value, 2.776 * std::sqrt(2.5 / 5), 1e-3);
  EXPECT_NEAR(mean.value - mean.low, mean.high - mean.value, 1e-9);
  EXPECT_TRUE(std::isinf(MeanInterval(std::vector<double>{5}).high));
}

TEST(MeanTest, LineSlope_HasTheSlopeInItsInterval) {
  const Estimate exact = LineSlope(std::vector<double>{1, 3, 5, 7});
  EXPECT_NEAR(exact.value, 2, 1e-12);
  EXPECT_NEAR(exact.high, 2, 1e-6);
  const Estimate noisy = LineSlope(std::vector<double>{0, 11, 19, 32, 39, 51});
  EXPECT_NEAR(noisy.value, 10, 0.5);
  EXPECT_LT(noisy.low, 10);
  EXPECT_GT(noisy.high, 10);
}

TEST(MeanTest, Median_OfAnEvenNumber_IsBetweenTheMiddleTwo) {
  EXPECT_EQ(Median(std::vector<double>{4, 1, 3, 2}), 2.5);
  EXPECT_EQ(Median(std::vector<double>{9, 1, 5}), 5);
  EXPECT_EQ(Median({}), 0);
}

}  // namespace
}  // namespace headrace::bench
