#include "engine/queue_policy.h"

#include <gtest/gtest.h>

namespace headrace::engine {
namespace {

TEST(QueuePolicyTest, Expiry_IsTheDefaultUnlessARequestMayShortenIt) {
  QueuePolicy policy{.timeout = 100 * kMicrosecond};
  EXPECT_EQ(policy.Expiry(7, 0), 7 + 100 * kMicrosecond);
  EXPECT_EQ(policy.Expiry(7, 50), 7 + 100 * kMicrosecond);
  policy.allow_timeout_override = true;
  EXPECT_EQ(policy.Expiry(7, 0), 7 + 100 * kMicrosecond);
  EXPECT_EQ(policy.Expiry(7, 50), 7 + 50 * kMicrosecond);
  EXPECT_EQ(policy.Expiry(7, 200), 7 + 100 * kMicrosecond);
  EXPECT_EQ(policy.Expiry(7, UINT64_MAX), 7 + 100 * kMicrosecond);
  EXPECT_EQ(policy.Expiry(kNever - 5, 0), kNever);
}

TEST(QueuePolicyTest, Expiry_OfARequestHasNoEffectWithoutADefault) {
  const QueuePolicy policy{.allow_timeout_override = true};
  EXPECT_EQ(policy.Expiry(7, 50), kNever);
}

TEST(QueuePoliciesTest, LevelOf_IsTheDefaultForUnknownLevels) {
  const QueuePolicies policies{.level_count = 3, .default_level = 2};
  EXPECT_EQ(policies.LevelOf(0), 2u);
  EXPECT_EQ(policies.LevelOf(1), 1u);
  EXPECT_EQ(policies.LevelOf(3), 3u);
  EXPECT_EQ(policies.LevelOf(4), 2u);
  EXPECT_EQ(policies.LevelOf(UINT64_MAX), 2u);
}

TEST(QueuePoliciesTest, ALevelsOwnPolicy_ReplacesTheDefault) {
  QueuePolicies policies{.level_count = 2, .default_policy = {.request_count_max = 3}};
  policies.of_level[2] = {.timeout_action = TimeoutAction::kDelay, .timeout = 5};
  EXPECT_EQ(policies.Of(1).request_count_max, 3u);
  EXPECT_EQ(policies.Of(2).request_count_max, 0u);
  EXPECT_EQ(policies.Of(2).timeout, 5);
  EXPECT_FALSE(policies.Rejects());
}

TEST(QueuePoliciesTest, TellsWhatTheQueueMustKeep) {
  EXPECT_FALSE(QueuePolicies{}.Reorders());
  EXPECT_FALSE(QueuePolicies{}.Rejects());
  const QueuePolicies rejecting{.default_policy = {.timeout = 5}};
  EXPECT_FALSE(rejecting.Reorders());
  EXPECT_TRUE(rejecting.Rejects());
  const QueuePolicies delaying{
      .default_policy = {.timeout_action = TimeoutAction::kDelay, .timeout = 5}};
  EXPECT_TRUE(delaying.Reorders());
  EXPECT_FALSE(delaying.Rejects());
}

}  // namespace
}  // namespace headrace::engine
