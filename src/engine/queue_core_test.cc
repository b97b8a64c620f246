#include "engine/queue_core.h"

#include <gtest/gtest.h>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeSink;

constexpr Nanos kDelay = 100;

class QueueCoreTest : public ::testing::Test {
 protected:
  struct Spec {
    std::uint64_t shape = 0;
    std::int64_t batch_size = 1;
    std::size_t byte_size = 0;
    std::uint64_t priority = 0;
    std::uint64_t timeout_us = 0;
  };

  QueueCore& Make(BatchPolicyOptions policy, QueueLimits limits = {}, QueuePolicies policies = {}) {
    return core_.emplace(std::move(policy), limits, std::move(policies));
  }
  static QueuePolicies Levels(std::uint32_t count, std::uint32_t passed_over_batches_max = 0) {
    return {.level_count = count,
            .default_level = count,
            .passed_over_batches_max = passed_over_batches_max};
  }
  static BatchPolicyOptions Dynamic(std::int64_t max = 4, Nanos delay = kDelay) {
    return {
        .dynamic = true, .batch_size_max = max, .preferred_sizes = {}, .queue_delay_max = delay};
  }

  // Pushes a request named `id`; the answer by which the test cancels it.
  QueueCore::PushResult Push(const std::string& id, Nanos now, Spec spec) {
    answers_[id] = std::make_shared<Answer>();
    auto request =
        std::make_unique<InferRequest>(nullptr, std::make_unique<FakeSink>(answers_[id]));
    request->id = id;
    request->shape_key = spec.shape;
    request->batch_size = spec.batch_size;
    request->byte_size = spec.byte_size;
    request->deadline = next_deadline_;
    request->priority = spec.priority;
    request->timeout_us = spec.timeout_us;
    return core_->Push(request, now);
  }
  QueueCore::PushResult Push(const std::string& id, Nanos now) { return Push(id, now, Spec()); }

  // "a,b" for a batch of a and b, then "-c" for each dropped one, "@T" for a wait until T, "" for
  // nothing.
  std::string Pop(Nanos now) {
    QueueCore::Popped popped;
    core_->TryPop(now, popped);
    std::string text;
    const bool batch = !popped.batch.empty();
    for (const auto& request : Take(popped.batch)) {
      text += (text.empty() ? "" : ",") + request->id;
    }
    for (const auto& request : Take(popped.dropped)) {
      text += "-" + request->id;
    }
    return batch || popped.wait_until == kNever ? text
                                                : text + "@" + std::to_string(popped.wait_until);
  }

  std::optional<QueueCore> core_;
  std::map<std::string, std::shared_ptr<Answer>> answers_;
  Nanos next_deadline_ = kNever;
};

TEST_F(QueueCoreTest, SetQueueDelay_IsForWhatWaits) {
  Make(Dynamic());
  Push("a", 1, {.shape = 1});
  EXPECT_EQ(Pop(2), "@101");
  core_->SetQueueDelay(50);
  EXPECT_EQ(Pop(50), "@51");
  EXPECT_TRUE(core_->Due(51));
  core_->SetQueueDelay(200);
  EXPECT_EQ(Pop(51), "@201");
  core_->SetQueueDelay(0);
  EXPECT_TRUE(core_->Due(51));
  EXPECT_EQ(Pop(51), "a");
}

TEST_F(QueueCoreTest, SetQueueDelay_FindsTheFullGroups_ThatCameWithoutADelay) {
  Make(Dynamic(2, 0));
  Push("a", 1, {.shape = 1});
  Push("b", 2, {.shape = 2});
  Push("c", 3, {.shape = 2});
  core_->SetQueueDelay(100);
  EXPECT_TRUE(core_->Due(4));
  EXPECT_EQ(Pop(4), "b,c");
  EXPECT_EQ(Pop(4), "@101");
  Push("d", 5, {.shape = 1});
  EXPECT_EQ(Pop(5), "a,d");
  Push("e", 6, {.shape = 2});
  Push("f", 7, {.shape = 2});
  core_->SetQueueDelay(0);  // they leave the list of full groups
  EXPECT_EQ(Pop(7), "e,f");
  EXPECT_EQ(Pop(7), "");
}

TEST_F(QueueCoreTest, GivesOneRequestAtATimeInOrder_WithoutDynamicBatching) {
  Make({.dynamic = false, .batch_size_max = 8});
  Push("a", 1, {.shape = 1});
  Push("b", 2, {.shape = 2});
  EXPECT_EQ(Pop(2), "a");
  EXPECT_EQ(Pop(2), "b");
  EXPECT_EQ(Pop(2), "");
}

TEST_F(QueueCoreTest, WaitsForCompany_UntilTheDelayOfTheOldestIsOver) {
  Make(Dynamic());
  Push("a", 10);
  Push("b", 50);
  EXPECT_EQ(Pop(50), "@110");
  EXPECT_EQ(Pop(110), "a,b");
}

TEST_F(QueueCoreTest, GivesAFullBatchAtOnce) {
  Make(Dynamic(2));
  Push("a", 1);
  Push("b", 1);
  Push("c", 1);
  EXPECT_EQ(Pop(1), "a,b");
  EXPECT_EQ(Pop(1), "@101");
}

TEST_F(QueueCoreTest, CountsABatchOfSeveralAsItsSize) {
  Make(Dynamic(4));
  Push("a", 1, {.batch_size = 3});
  Push("b", 1, {.batch_size = 2});
  EXPECT_EQ(Pop(1), "a");
  EXPECT_EQ(Pop(1), "@101");
}

TEST_F(QueueCoreTest, KeepsShapesApart_WithoutBreakingTheirBatches) {
  Make(Dynamic(2));
  Push("a1", 1, {.shape = 1});
  Push("b1", 1, {.shape = 2});
  Push("a2", 1, {.shape = 1});
  Push("b2", 1, {.shape = 2});
  EXPECT_EQ(Pop(1), "a1,a2");
  EXPECT_EQ(Pop(1), "b1,b2");
}

TEST_F(QueueCoreTest, GivesAFullGroup_BeforeAnOlderOneThatStillWaits) {
  Make(Dynamic(2));
  Push("old", 1, {.shape = 1});
  Push("b1", 2, {.shape = 2});
  Push("b2", 3, {.shape = 2});
  EXPECT_EQ(Pop(3), "b1,b2");
  EXPECT_EQ(Pop(3), "@101");
}

TEST_F(QueueCoreTest, GivesAnExpiredRequest_BeforeAYoungerFullGroup) {
  Make(Dynamic(2));
  Push("old", 1, {.shape = 1});
  Push("b1", 2, {.shape = 2});
  Push("b2", 3, {.shape = 2});
  EXPECT_EQ(Pop(101), "old");
  EXPECT_EQ(Pop(101), "b1,b2");
}

TEST_F(QueueCoreTest, TakesTurnsBetweenFullGroups) {
  Make(Dynamic(1));
  for (int i = 0; i < 3; ++i) {
    Push("a" + std::to_string(i), 1, {.shape = 1});
  }
  Push("b", 1, {.shape = 2});
  EXPECT_EQ(Pop(1), "a0");
  EXPECT_EQ(Pop(1), "b");
  EXPECT_EQ(Pop(1), "a1");
  EXPECT_EQ(Pop(1), "a2");
}

TEST_F(QueueCoreTest, DropsCancelledRequests_AndDoesNotCountThem) {
  Make(Dynamic(2));
  Push("a", 1);
  Push("b", 2);
  Push("c", 3);
  answers_["a"]->Cancel();
  EXPECT_EQ(Pop(3), "b,c-a");
  EXPECT_EQ(core_->depth(), 0u);
}

TEST_F(QueueCoreTest, GoesBackToWaiting_WhenACancelledRequestLeavesTheBatchShort) {
  Make(Dynamic(2));
  Push("a", 1);
  Push("b", 2);
  answers_["b"]->Cancel();
  EXPECT_TRUE(core_->Due(2));
  EXPECT_EQ(Pop(2), "-b@101");
  EXPECT_FALSE(core_->Due(2));
  EXPECT_EQ(Pop(101), "a");
}

TEST_F(QueueCoreTest, DropsRequestsPastTheirDeadline) {
  Make(Dynamic(2, 0));
  next_deadline_ = 50;
  Push("a", 1);
  next_deadline_ = kNever;
  Push("b", 2);
  EXPECT_EQ(Pop(50), "b-a");
}

TEST_F(QueueCoreTest, RefusesTooManyRequests) {
  Make(Dynamic(), {.request_count_max = 1});
  EXPECT_EQ(Push("a", 1), QueueCore::PushResult::kAccepted);
  EXPECT_EQ(Push("b", 1), QueueCore::PushResult::kTooManyRequests);
}

TEST_F(QueueCoreTest, RefusesTooManyBytes_AndTakesThemAgainAfterAPop) {
  Make(Dynamic(4, 0), {.byte_size_max = 100});
  EXPECT_EQ(Push("a", 1, {.byte_size = 60}), QueueCore::PushResult::kAccepted);
  EXPECT_EQ(Push("b", 1, {.byte_size = 41}), QueueCore::PushResult::kTooManyBytes);
  EXPECT_EQ(Push("b", 1, {.byte_size = SIZE_MAX}), QueueCore::PushResult::kTooManyBytes);
  EXPECT_EQ(Push("c", 1, {.byte_size = 40}), QueueCore::PushResult::kAccepted);
  EXPECT_EQ(Pop(1), "a,c");
  EXPECT_EQ(core_->byte_size(), 0u);
  EXPECT_EQ(Push("d", 1, {.byte_size = 100}), QueueCore::PushResult::kAccepted);
}

TEST_F(QueueCoreTest, GivesOutTheRestWithoutWaiting_WhenClosed) {
  Make(Dynamic(4));
  Push("a", 1);
  core_->Close();
  EXPECT_EQ(Push("b", 1), QueueCore::PushResult::kClosed);
  EXPECT_TRUE(core_->Due(1));
  EXPECT_EQ(Pop(1), "a");
}

TEST_F(QueueCoreTest, StampsNeverGoBackwards_WhenAClockReadingIsLate) {
  Make(Dynamic());
  Push("a", 10);
  Push("b", 5);
  std::vector<Nanos> stamps;
  core_->ForEach(
      [&stamps](const InferRequest& request) { stamps.push_back(request.times.queued); });
  EXPECT_EQ(stamps, (std::vector<Nanos>{10, 10}));
}

TEST_F(QueueCoreTest, ForgetsShapes_ThatNobodySendsAnyMore) {
  Make(Dynamic(4, 0));
  for (std::uint64_t shape = 0; shape < 1000; ++shape) {
    Push(std::to_string(shape), 1, {.shape = shape});
  }
  EXPECT_EQ(core_->group_count(), 1000u);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(Pop(1), std::to_string(i));
  }
  EXPECT_LE(core_->group_count(), QueueCore::kIdleGroupsMax);
}

TEST_F(QueueCoreTest, ServesLevelsInOrder_AndFillsABatchFromLowerOnes) {
  Make(Dynamic(2, 0), {}, Levels(3));
  Push("low", 1, {.priority = 3});
  Push("middle", 2, {.priority = 2});
  Push("default", 3);
  Push("high", 4, {.priority = 1});
  EXPECT_EQ(Pop(5), "high,middle");
  EXPECT_EQ(Pop(5), "low,default");
}

TEST_F(QueueCoreTest, ALowerLevelOfAnotherShape_Waits) {
  Make(Dynamic(4, 0), {}, Levels(2));
  Push("low1", 1, {.shape = 1});
  Push("high1", 2, {.shape = 2, .priority = 1});
  Push("low2", 3, {.shape = 2});
  Push("high2", 4, {.shape = 1, .priority = 1});
  EXPECT_EQ(Pop(5), "high1,low2");
  EXPECT_EQ(Pop(5), "high2,low1");
}

TEST_F(QueueCoreTest, AHigherLevelGoesFirst_WhenOnlyALowerOneIsDue) {
  Make(Dynamic(2), {}, Levels(2));
  Push("low", 1, {.shape = 1});
  Push("high", 100, {.shape = 2, .priority = 1});
  EXPECT_EQ(Pop(100), "@101");
  EXPECT_EQ(Pop(101), "high");
  EXPECT_EQ(Pop(101), "low");
}

TEST_F(QueueCoreTest, TheOldestOfAll_GetsATurn_AfterSoManyBatchesWithoutIt) {
  Make(Dynamic(1, 0), {}, Levels(2, 2));
  Push("low", 1);
  for (int i = 0; i < 4; ++i) {
    Push("high" + std::to_string(i), 2, {.priority = 1});
  }
  EXPECT_EQ(Pop(5), "high0");
  EXPECT_EQ(Pop(5), "high1");
  EXPECT_EQ(Pop(5), "low");
  EXPECT_EQ(Pop(5), "high2");
}

TEST_F(QueueCoreTest, CancelledRequestsOfAHigherLevel_StopNobody) {
  Make(Dynamic(2, 0), {}, Levels(2));
  Push("low", 1);
  Push("high", 2, {.priority = 1});
  answers_["high"]->Cancel();
  EXPECT_EQ(Pop(5), "low-high");
}

TEST_F(QueueCoreTest, RejectsWhatHasOutstayedItsTimeout_ShorterOnlyWhereAllowed) {
  QueuePolicies policies{.default_policy = {.timeout = 50 * kMicrosecond}};
  Make(Dynamic(2, kNever / 2), {}, policies);
  Push("a", 0, {.timeout_us = 10});
  EXPECT_EQ(core_->next_expiry(), 50 * kMicrosecond);
  EXPECT_EQ(Pop(50 * kMicrosecond), "-a");

  policies.default_policy.allow_timeout_override = true;
  Make(Dynamic(2, kNever / 2), {}, policies);
  Push("b", 0);
  Push("c", 0, {.timeout_us = 10});
  EXPECT_EQ(core_->next_expiry(), 10 * kMicrosecond);
  QueueCore::Popped popped;
  core_->Expire(10 * kMicrosecond, popped);
  EXPECT_EQ(Take(popped.dropped).front()->id, "c");
  EXPECT_EQ(core_->next_expiry(), 50 * kMicrosecond);
  EXPECT_EQ(core_->depth(), 1u);
}

TEST_F(QueueCoreTest, DelaysWhatHasOutstayedItsTimeout_BehindItsLevel) {
  Make(Dynamic(1, 0), {},
       {.default_policy = {.timeout_action = TimeoutAction::kDelay,
                           .timeout = 50 * kMicrosecond,
                           .allow_timeout_override = true}});
  Push("late2", 1, {.timeout_us = 2});
  Push("late1", 1, {.timeout_us = 1});
  Push("in time", 1);
  const Nanos now = 10 * kMicrosecond;
  EXPECT_EQ(Pop(now), "in time");
  EXPECT_EQ(Pop(now), "late1");
  EXPECT_EQ(Pop(now), "late2");
}

TEST_F(QueueCoreTest, ALevelHasALimitOfItsOwn) {
  QueuePolicies policies = Levels(2);
  policies.of_level[1].request_count_max = 1;
  Make(Dynamic(4), {.request_count_max = 3}, policies);
  EXPECT_EQ(Push("a", 1, {.priority = 1}), QueueCore::PushResult::kAccepted);
  EXPECT_EQ(Push("b", 1, {.priority = 1}), QueueCore::PushResult::kTooManyRequests);
  EXPECT_EQ(Push("c", 1), QueueCore::PushResult::kAccepted);
  EXPECT_EQ(Push("d", 1), QueueCore::PushResult::kAccepted);
  EXPECT_EQ(Push("e", 1), QueueCore::PushResult::kTooManyRequests);
}

TEST_F(QueueCoreTest, HoldsEverythingBack_UntilSoManyHaveWaitedOnce) {
  Make(Dynamic(1, 0), {.hold_until_count = 2});
  Push("a", 1);
  EXPECT_FALSE(core_->Due(1));
  EXPECT_EQ(Pop(1), "");
  Push("b", 2);
  EXPECT_EQ(Pop(2), "a");
  EXPECT_EQ(Pop(2), "b");
  Push("c", 3);
  EXPECT_EQ(Pop(3), "c");
}

TEST_F(QueueCoreTest, TakeAllEmptiesIt) {
  Make(Dynamic(2));
  Push("a", 1, {.shape = 1, .byte_size = 7});
  Push("b", 1, {.shape = 2});
  Push("c", 1, {.shape = 2});
  QueueCore::RequestList all;
  core_->TakeAll(all);
  EXPECT_EQ(Take(all).size(), 3u);
  EXPECT_EQ(core_->depth(), 0u);
  EXPECT_EQ(core_->byte_size(), 0u);
  EXPECT_EQ(Pop(1000), "");
}

}  // namespace
}  // namespace headrace::engine
