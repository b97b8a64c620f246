#include "bench/capacity.h"

#include <gtest/gtest.h>

#include <cmath>

namespace headrace::bench {
namespace {

// A server of one queue: p99 grows as 1 / (1 - load), and above its capacity answers fall behind.
class QueueSession final : public Session {
 public:
  explicit QueueSession(double capacity) : capacity_(capacity) {}

  Result<LevelResult> Run(const LevelSpec& spec) override {
    specs.push_back(spec);
    LevelResult level;
    level.spec = spec;
    level.measured_to = spec.stop.duration;
    if (interrupt_after > 0 && static_cast<int>(specs.size()) >= interrupt_after) {
      level.stop_reason = StopReason::kInterrupted;
      return level;
    }
    if (!spec.arrivals.open()) {
      level.request_rate = capacity_;
      return level;
    }
    const double rate = spec.arrivals.rate;
    level.request_rate = level.throughput = std::min(rate, capacity_);
    if (rate >= capacity_) {
      level.stop_reason = StopReason::kBacklog;
      return level;
    }
    const double p99 = 10e6 / (1 - rate / capacity_);
    level.response_time.histogram.Record(static_cast<std::int64_t>(p99), 10'000);
    level.intended_count = 10'000;
    level.outcomes[0] = 10'000 - failures;
    level.outcomes[2] = failures;
    return level;
  }

  std::vector<LevelSpec> specs;
  std::uint64_t failures = 0;
  int interrupt_after = 0;

 private:
  const double capacity_;
};

CapacitySpec Spec() {
  CapacitySpec spec;
  spec.sla = 100 * kMillisecond;  // met up to 90 % of the capacity
  return spec;
}

TEST(CapacityTest, FindCapacity_FindsTheRateToItsPrecision) {
  QueueSession session(1000);
  const auto found = FindCapacity(session, Spec());
  ASSERT_TRUE(found.ok());
  EXPECT_LE(found->rate, 900);
  EXPECT_GT(found->rate, 900 / 1.031);
  ASSERT_TRUE(found->rate_missed);
  EXPECT_GE(*found->rate_missed, 900);
  EXPECT_TRUE(found->confirmed_met);
  EXPECT_LE(found->probes.size(), 12u);
  EXPECT_FALSE(session.specs.front().arrivals.open());  // the probe that finds where to begin
  EXPECT_TRUE(session.specs[1].stop.decide_sla);
}

TEST(CapacityTest, FindCapacity_GoesUp_FromAStartThatIsMuchTooLow) {
  QueueSession session(50'000);
  CapacitySpec spec = Spec();
  spec.rate_start = 10;
  const auto found = FindCapacity(session, spec);
  ASSERT_TRUE(found.ok());
  EXPECT_NEAR(found->rate, 45'000, 45'000 * 0.03);
}

TEST(CapacityTest, FindCapacity_GoesDown_FromAStartThatIsMuchTooHigh) {
  QueueSession session(7);
  CapacitySpec spec = Spec();
  spec.rate_start = 10'000;
  const auto found = FindCapacity(session, spec);
  ASSERT_TRUE(found.ok());
  EXPECT_NEAR(found->rate, 6.3, 6.3 * 0.03);
}

TEST(CapacityTest, FindCapacity_SaysThatNoRateMeetsIt_WhenTheSlaIsBelowTheServiceTime) {
  QueueSession session(1000);
  CapacitySpec spec = Spec();
  spec.sla = 5 * kMillisecond;
  const auto found = FindCapacity(session, spec);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->rate, 0);
  EXPECT_FALSE(found->confirmed);
  EXPECT_NE(found->reason.find("no rate"), std::string::npos) << found->reason;
  EXPECT_NE(found->reason.find("5.00 ms"), std::string::npos) << found->reason;
}

TEST(CapacityTest, FindCapacity_StopsAtTheHighestRateAllowed) {
  QueueSession session(1e9);
  CapacitySpec spec = Spec();
  spec.rate_max = 2000;
  spec.rate_start = 500;
  const auto found = FindCapacity(session, spec);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->rate, 2000);
  EXPECT_FALSE(found->rate_missed);
}

TEST(CapacityTest, FindCapacity_CountsFailures_AsAMiss) {
  QueueSession session(1000);
  session.failures = 100;
  const auto found = FindCapacity(session, Spec());
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->rate, 0);
  EXPECT_NE(found->reason.find("1 % of the requests failed"), std::string::npos) << found->reason;
}

TEST(CapacityTest, FindCapacity_KeepsWhatItHas_WhenItIsInterrupted) {
  QueueSession session(1000);
  session.interrupt_after = 4;
  int told = 0;
  const auto found = FindCapacity(session, Spec(), [&told](const CapacityProbe&) { ++told; });
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->interrupted);
  EXPECT_EQ(found->probes.size(), 3u);
  EXPECT_EQ(told, 3);
  EXPECT_GT(found->rate, 0);
}

TEST(CapacityTest, FindCapacity_GivesEachProbeASeedOfItsOwn) {
  QueueSession session(1000);
  ASSERT_TRUE(FindCapacity(session, Spec()).ok());
  EXPECT_NE(session.specs[1].arrivals.seed, session.specs[2].arrivals.seed);
}

}  // namespace
}  // namespace headrace::bench
