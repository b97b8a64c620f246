#include "scaling/online_policy.h"

#include <gtest/gtest.h>

#include "scaling/load_window.h"

namespace headrace::scaling {
namespace {

constexpr engine::OnlineOptions kOptions{.sla = 100 * kMillisecond,
                                         .percentile = 99,
                                         .queue_delay_min = 0,
                                         .queue_delay_max = 16 * kMillisecond,
                                         .instance_count_min = 1,
                                         .instance_count_max = 4,
                                         .window = kSecond,
                                         .shrink_after = 10 * kSecond};

// 200 requests in a second, in time.
LoadWindow Calm() {
  return {.duration = kSecond,
          .received = 200,
          .requests = 200,
          .late = 0,
          .latency = 40 * kMillisecond,
          .queue_mean = 5 * kMillisecond,
          .busy = 0.5,
          .batch_mean = 2};
}

LoadWindow Late(double busy) {
  LoadWindow window = Calm();
  window.late = 50;
  window.latency = 150 * kMillisecond;
  window.busy = busy;
  return window;
}

class OnlinePolicyTest : public ::testing::Test {
 protected:
  // One look, a second after the one before; what is decided is in force then.
  OnlineDecision Look(const LoadWindow& window, ScalingDecision by_load = {}) {
    now_ += kSecond;
    by_load.worker_count =
        by_load.reason == ScalingReason::kSteady ? view_.instance_count : by_load.worker_count;
    const OnlineDecision decision = policy_.Look(now_, view_, by_load, &window);
    view_.queue_delay = decision.queue_delay;
    view_.instance_count = decision.instances.worker_count;
    return decision;
  }

  OnlinePolicy policy_{kOptions};
  OnlineView view_{.queue_delay = 8 * kMillisecond, .instance_count = 1, .batch_size_max = 8};
  Nanos now_ = 100 * kSecond;
};

TEST_F(OnlinePolicyTest, LeavesAModelAloneThatHoldsItsSla) {
  LoadWindow window = Calm();
  window.latency = 85 * kMillisecond;
  for (int i = 0; i < 20; ++i) {
    const OnlineDecision decision = Look(window);
    EXPECT_EQ(decision.queue_delay, 8 * kMillisecond);
    EXPECT_EQ(decision.instances.worker_count, 1);
    EXPECT_FALSE(decision.beyond_bounds);
  }
}

TEST_F(OnlinePolicyTest, ShortensTheDelay_WhenIdleInstancesAreLate) {
  const OnlineDecision decision = Look(Late(0.3));
  EXPECT_EQ(decision.queue_delay, 4 * kMillisecond);
  EXPECT_EQ(decision.delay_reason, DelayReason::kLatency);
  EXPECT_EQ(decision.instances.worker_count, 1);
}

TEST_F(OnlinePolicyTest, AddsInstances_WhenBusyOnesAreLate) {
  view_.instance_count = 2;
  const OnlineDecision decision = Look(Late(1.9));
  EXPECT_EQ(decision.instances.worker_count, 3);
  EXPECT_EQ(decision.instances.reason, ScalingReason::kLatency);
  EXPECT_EQ(decision.queue_delay, 8 * kMillisecond);
}

TEST_F(OnlinePolicyTest, StaysAtTheBestBound_AndSaysSo_UntilItHolds) {
  view_ = {.queue_delay = 0, .instance_count = 4, .batch_size_max = 8};
  for (int i = 0; i < 3; ++i) {
    const OnlineDecision decision = Look(Late(4));
    EXPECT_TRUE(decision.beyond_bounds);
    EXPECT_EQ(decision.instances.worker_count, 4);
  }
  // The load may want fewer: not while requests are late.
  EXPECT_EQ(Look(Late(1), {2, ScalingReason::kLowLoad}).instances.worker_count, 4);
  EXPECT_FALSE(Look(Calm()).beyond_bounds);
}

TEST_F(OnlinePolicyTest, TakesTwoWindowsForFewRequests) {
  LoadWindow window = Late(0.3);
  window.requests = 5;
  window.late = 1;
  EXPECT_EQ(Look(window).queue_delay, 8 * kMillisecond);
  EXPECT_EQ(Look(window).queue_delay, 4 * kMillisecond);
}

TEST_F(OnlinePolicyTest, LengthensTheDelay_WhereThereIsRoomAndGain) {
  EXPECT_EQ(Look(Calm()).queue_delay, 8 * kMillisecond);
  EXPECT_EQ(Look(Calm()).queue_delay, 8 * kMillisecond);
  const OnlineDecision decision = Look(Calm());
  EXPECT_EQ(decision.queue_delay, 10 * kMillisecond);
  EXPECT_EQ(decision.delay_reason, DelayReason::kRoom);
}

TEST_F(OnlinePolicyTest, DoesNotLengthenTheDelay_WhereNothingIsGained) {
  LoadWindow idle = Calm(), full = Calm(), no_gain = Calm(), no_company = Calm();
  idle.busy = 0.1;
  full.batch_mean = 7.5;
  no_gain.batches = {{2, {100, 100 * 10 * kMillisecond}}, {4, {100, 100 * 20 * kMillisecond}}};
  no_company.received = 60;
  for (const LoadWindow& window : {idle, full, no_gain, no_company}) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(Look(window).queue_delay, 8 * kMillisecond);
    }
  }
}

TEST_F(OnlinePolicyTest, ShortensTheDelay_WhenNobodyComesInIt) {
  LoadWindow window = Calm();
  window.received = window.requests = 2;
  Look(window);
  Look(window);
  const OnlineDecision decision = Look(window);
  EXPECT_EQ(decision.queue_delay, 4 * kMillisecond);
  EXPECT_EQ(decision.delay_reason, DelayReason::kAlone);
}

TEST_F(OnlinePolicyTest, WaitsLongerEachTime_ADelayHasToBeTakenBack) {
  const auto looks_until_longer = [&] {
    int looks = 1;
    while (Look(Calm()).delay_reason != DelayReason::kRoom) {
      ++looks;
    }
    EXPECT_EQ(Look(Late(0.5)).delay_reason, DelayReason::kLatency);
    return looks;
  };
  // 5 ms of delay are needed for one more to come: the step must reach that.
  view_.queue_delay = 4 * kMillisecond;
  EXPECT_EQ(looks_until_longer(), 3);
  view_.queue_delay = 4 * kMillisecond;
  const int second = looks_until_longer();
  view_.queue_delay = 4 * kMillisecond;
  const int third = looks_until_longer();
  EXPECT_GE(second, 10);
  EXPECT_GE(third, 2 * second - 2);
}

TEST_F(OnlinePolicyTest, KeepsWhatTheBusyOnesNeed_WhenTheLoadWantsFewer) {
  view_.instance_count = 4;
  LoadWindow window = Calm();
  window.busy = 1.8;
  EXPECT_EQ(Look(window, {1, ScalingReason::kLowLoad}).instances.worker_count, 3);
}

TEST_F(OnlinePolicyTest, TakesTheLoadsGrowth_OnceInAWindow) {
  EXPECT_EQ(Look(Calm(), {2, ScalingReason::kQueue}).instances.worker_count, 2);
  now_ -= kSecond / 2;
  EXPECT_EQ(Look(Calm(), {4, ScalingReason::kQueue}).instances.worker_count, 2);
  EXPECT_EQ(Look(Calm(), {4, ScalingReason::kQueue}).instances.worker_count, 4);
}

TEST_F(OnlinePolicyTest, BringsBothInsideTheBounds) {
  view_ = {.queue_delay = 90 * kMillisecond, .instance_count = 9, .batch_size_max = 8};
  const OnlineDecision decision = Look(Calm(), {4, ScalingReason::kLimits});
  EXPECT_EQ(decision.queue_delay, 16 * kMillisecond);
  EXPECT_EQ(decision.delay_reason, DelayReason::kLimits);
  EXPECT_EQ(decision.instances.worker_count, 4);
}

TEST(LoadWindowTest, IsTheDifferenceOfTwoReadings) {
  engine::ModelStatistics statistics;
  statistics.RecordReceived();
  statistics.RecordSuccess(kSecond);
  LoadWindowReader reader(100 * kMillisecond, 90);
  reader.Begin(kSecond, statistics);
  for (int i = 0; i < 20; ++i) {
    statistics.RecordReceived();
    statistics.RecordSuccess(i < 18 ? 50 * kMillisecond : 200 * kMillisecond);
  }
  const engine::ExecutionTimes times{
      .exec_start = 0, .compute_start = 0, .compute_end = kSecond, .exec_end = kSecond};
  statistics.RecordBatchExecution(4, times);
  statistics.RecordBatchExecution(8, times);
  LoadWindow window = reader.Read(5 * kSecond, statistics);
  EXPECT_EQ(window.duration, 4 * kSecond);
  EXPECT_EQ(window.received, 20u);
  EXPECT_EQ(window.requests, 20u);
  EXPECT_EQ(window.late, 2u);
  EXPECT_NEAR(static_cast<double>(window.latency), 50e6, 4e6);
  EXPECT_DOUBLE_EQ(window.arrival_rate(), 5);
  EXPECT_DOUBLE_EQ(window.busy, 0.5);
  EXPECT_DOUBLE_EQ(window.batch_mean, 6);
  EXPECT_EQ(window.batches.at(8).count, 1u);
  EXPECT_EQ(window.batches.at(8).total, kSecond);
  // What the queue refuses is later than everything.
  for (int i = 0; i < 5; ++i) {
    statistics.RecordFailure(engine::FailureReason::kRejected, 0);
  }
  window = reader.Read(6 * kSecond, statistics);
  EXPECT_EQ(window.requests, 25u);
  EXPECT_EQ(window.late, 7u);
  EXPECT_EQ(window.latency, kNever);
}

}  // namespace
}  // namespace headrace::scaling
