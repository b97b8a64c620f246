#include "tune/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tune/simulate.h"

namespace headrace::tune {
namespace {

using testing::Contains;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

ServiceSample Takes(double milliseconds) {
  ServiceSample sample;
  const auto time = static_cast<Nanos>(milliseconds * static_cast<double>(kMillisecond));
  sample.quantiles = {time, time};
  sample.mean = static_cast<double>(time);
  sample.count = 100;
  return sample;
}

class PruneTest : public testing::Test {
 protected:
  PruneTest()
      : space_(MakeSpace(
            {{.thread_parameter = "threads"}},
            {.batch_max = 8, .instances_max = 2, .cores = 2, .sla = 100 * kMillisecond})) {}

  void Fill(double tau, double alpha) {
    for (const Shape& shape : space_.Shapes(space_.variants[0])) {
      for (const std::int64_t batch : space_.batches) {
        times_.Add({"", shape}, batch, Takes(tau + alpha * static_cast<double>(batch)));
      }
    }
  }
  Pruned Run() { return Prune(space_, space_.All(), times_, limits_); }
  static auto Has(CutRule rule) { return Contains(Field(&Cut::rule, rule)); }

  SearchSpace space_;
  ServiceTimes times_;
  PruneLimits limits_{.target = {.sla = 100 * kMillisecond}};
};

TEST_F(PruneTest, CutsEverything_WhenOneRequestIsTooSlow) {
  Fill(300, 5);
  const Pruned pruned = Run();
  EXPECT_THAT(pruned.survivors, IsEmpty());
  ASSERT_THAT(pruned.cuts, Has(CutRule::kSlaAtOne));
  EXPECT_THAT(pruned.cuts[0].reason, HasSubstr("the SLA is 100"));
  EXPECT_EQ(pruned.cuts[0].count, space_.All().size());
}

TEST_F(PruneTest, CutsBatchesThatAreTooSlow) {
  Fill(10, 20);  // 30, 50, 90, 170
  const Pruned pruned = Run();
  EXPECT_THAT(pruned.cuts, Has(CutRule::kSlaOfBatch));
  EXPECT_THAT(pruned.survivors, Each(Field(&Configuration::batch_max, testing::Le(4))));
  // 90 ms of 100: no time to wait for company.
  for (const Configuration& configuration : pruned.survivors) {
    EXPECT_TRUE(configuration.batch_max < 4 || configuration.delay == 0);
  }
  EXPECT_THAT(pruned.cuts, Has(CutRule::kNoBacklog));
}

TEST_F(PruneTest, CutsBatchesThatGainNothing) {
  Fill(0.1, 10);
  const Pruned pruned = Run();
  EXPECT_THAT(pruned.cuts, Has(CutRule::kNoGain));
  EXPECT_THAT(pruned.survivors, Each(Field(&Configuration::batch_max, 1)));
}

TEST_F(PruneTest, CutsInstancesBeyondThePeak) {
  Fill(10, 1);
  for (const std::int64_t batch : space_.batches) {  // two of one thread are four times as slow
    times_.Add({"", {2, 1}}, batch, Takes(4 * (10 + static_cast<double>(batch))));
  }
  const Pruned pruned = Run();
  EXPECT_THAT(pruned.cuts, Has(CutRule::kScaling));
  EXPECT_THAT(pruned.survivors, Not(Contains(Field(&Configuration::shape, Shape{2, 1}))));
}

TEST_F(PruneTest, KeepsInstancesOfWhichOnlySmallBatchesWereMeasured) {
  for (const std::int64_t batch : space_.batches) {
    times_.Add({"", {1, 1}}, batch, Takes(20));
  }
  times_.Add({"", {2, 1}}, 1, Takes(20));  // the budget ended
  EXPECT_THAT(Run().cuts, Not(Has(CutRule::kScaling)));
}

TEST_F(PruneTest, CutsWhatNeedsTooMuchMemory) {
  Fill(10, 1);
  ServiceSample large = Takes(18);
  large.memory_bytes = 3'000'000;
  times_.Add({"", {1, 1}}, 8, large);
  limits_.memory_bytes = 2'000'000;
  const Pruned pruned = Run();
  EXPECT_THAT(pruned.cuts, Has(CutRule::kMemory));
}

TEST_F(PruneTest, CutsWhatCannotReachWhatIsVerified) {
  Fill(10, 1);
  limits_.verified_rate = 400;
  const Pruned pruned = Run();
  EXPECT_THAT(pruned.cuts, Has(CutRule::kCeiling));
  EXPECT_THAT(pruned.survivors, Not(IsEmpty()));
  for (const Configuration& c : pruned.survivors) {
    EXPECT_GE(times_.Ceiling({c.variant, c.shape}, c.batch_max), 400);
  }
}

TEST_F(PruneTest, CutsWhatWasNotMeasured) {
  EXPECT_THAT(Run().survivors, IsEmpty());
  EXPECT_THAT(Run().cuts, Has(CutRule::kFailed));
}

TEST_F(PruneTest, AccountsForEveryConfiguration) {
  Fill(10, 20);
  const Pruned pruned = Run();
  std::size_t cut = 0;
  for (const Cut& one : pruned.cuts) {
    cut += one.count;
  }
  EXPECT_EQ(cut + pruned.survivors.size(), space_.All().size());
}

TEST(PruneVariants, NamesTheAccuracy) {
  const SearchSpace space = MakeSpace({{.name = "a"}, {.name = "b", .accuracy_drop = 0.02}}, {});
  const std::vector<Cut> cuts = PruneVariants(space, 0.005);
  ASSERT_THAT(cuts, SizeIs(1));
  EXPECT_EQ(cuts[0].what, "b");
  EXPECT_THAT(cuts[0].reason, HasSubstr("2.00 %"));
}

TEST(Simulator, FindsTheCapacity_OfOneInstanceWithoutBatches) {
  ServiceTimes times;
  times.Add({"", {1, 1}}, 1, Takes(10));
  const Simulator simulator(times, {.target = {.sla = 1000 * kMillisecond}});
  // A long SLA: nearly all of the 100 that it can do.
  const double capacity = simulator.Capacity({.shape = {1, 1}});
  EXPECT_GT(capacity, 85);
  EXPECT_LE(capacity, 102);
  EXPECT_LT(simulator.Capacity({.shape = {1, 1}}, 2), 0.6 * capacity);
  EXPECT_EQ(simulator.CapacityWithin({.shape = {1, 1}}, 5 * kMillisecond), 0);
}

TEST(Simulator, ReplaysGaps) {
  ServiceTimes times;
  times.Add({"", {1, 1}}, 1, Takes(10));
  // Ten at once, then a long pause: far less than Poisson's capacity.
  std::vector<Nanos> bursts(10, 1);
  bursts.front() = kSecond;
  const Simulator poisson(times, {.target = {.sla = 50 * kMillisecond}});
  const Simulator replay(times, {.target = {.sla = 50 * kMillisecond}, .intervals = bursts});
  EXPECT_GT(poisson.Capacity({.shape = {1, 1}}), 20);
  EXPECT_EQ(replay.Capacity({.shape = {1, 1}}), 0);
}

}  // namespace
}  // namespace headrace::tune
