#include "frontend/failure_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::frontend {
namespace {

using testing::HasSubstr;

TEST(FailureBudgetTest, Charge_HoldsBackAHostThatFailsTooOften) {
  FakeClock clock;
  FailureBudget budget(20, clock);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(budget.Charge(1)) << i;
  }
  EXPECT_FALSE(budget.Charge(1));
  EXPECT_TRUE(budget.Charge(2));
  telemetry::PrometheusWriter writer;
  budget.Collect(writer);
  const std::string page = writer.Take();
  EXPECT_THAT(page, HasSubstr("headrace_key_failures_total 22\n"));
  EXPECT_THAT(page, HasSubstr("headrace_key_failures_held_back_total 1\n"));
}

TEST(FailureBudgetTest, Charge_LetsSoManyASecondThrough_OnAndOn) {
  FakeClock clock;
  FailureBudget budget(10, clock);
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) {  // 100 a second
    refused += budget.Charge(1) ? 1 : 0;
    clock.Advance(10 * kMillisecond);
  }
  EXPECT_NEAR(refused, 1000, 11);
}

TEST(FailureBudgetTest, Charge_TakesAnyNumberOfHostsInFixedMemory) {
  FakeClock clock;
  FailureBudget budget(1, clock);
  for (std::uint64_t peer = 0; peer < 1'000'000; ++peer) {
    budget.Charge(peer);
    clock.Advance(1);
  }
  // Who has failed last still has its place.
  EXPECT_FALSE(budget.Charge(999'999));
}

TEST(FailureBudgetTest, Charge_HasNoLimit_WhenThereIsNone) {
  FakeClock clock;
  FailureBudget budget(0, clock);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(budget.Charge(1));
  }
}

}  // namespace
}  // namespace headrace::frontend
