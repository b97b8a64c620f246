#include "engine/batch_policy.h"

#include <gtest/gtest.h>

#include <optional>

namespace headrace::engine {
namespace {

constexpr Nanos kDelay = 100;
constexpr Nanos kOldest = 1000;

BatchPolicyOptions Dynamic(std::int64_t max, std::vector<std::int64_t> preferred = {},
                           Nanos delay = kDelay) {
  return {.dynamic = true,
          .batch_size_max = max,
          .preferred_sizes = std::move(preferred),
          .queue_delay_max = delay};
}

// The number of requests to dispatch, or nothing when the policy waits; then *until is the time.
std::optional<std::size_t> Decide(const BatchPolicyOptions& options,
                                  std::vector<std::int64_t> sizes, Nanos now,
                                  Nanos* until = nullptr) {
  const Decision decision = DecideBatch(options, {sizes, kOldest}, now);
  if (const auto* wait = std::get_if<WaitUntil>(&decision)) {
    if (until != nullptr) {
      *until = wait->time;
    }
    return std::nullopt;
  }
  return std::get<Dispatch>(decision).request_count;
}

TEST(BatchPolicyTest, DispatchesOneRequest_WithoutDynamicBatching) {
  EXPECT_EQ(Decide({.dynamic = false, .batch_size_max = 8}, {1, 1, 1}, kOldest), 1u);
}

TEST(BatchPolicyTest, DispatchesAllThatFit_WhenDelayIsZero) {
  EXPECT_EQ(Decide(Dynamic(8, {}, 0), {1, 2, 3}, kOldest), 3u);
  EXPECT_EQ(Decide(Dynamic(8, {4}, 0), {1, 1, 1, 1, 1}, kOldest), 5u);
  EXPECT_EQ(Decide(Dynamic(4, {}, 0), {3, 1, 1}, kOldest), 2u);
}

TEST(BatchPolicyTest, WaitsUntilTheDelayIsOver_WhenNothingIsDue) {
  Nanos until = 0;
  EXPECT_EQ(Decide(Dynamic(8), {1, 1}, kOldest + kDelay - 1, &until), std::nullopt);
  EXPECT_EQ(until, kOldest + kDelay);
}

TEST(BatchPolicyTest, DispatchesAShorterBatch_WhenTheDelayIsOver) {
  EXPECT_EQ(Decide(Dynamic(8, {4}), {1, 1}, kOldest + kDelay), 2u);
}

TEST(BatchPolicyTest, DispatchesBeyondAPreferredSize_WhenTheDelayIsOver) {
  EXPECT_EQ(Decide(Dynamic(8, {4}), {1, 1, 1, 1, 1}, kOldest + kDelay), 5u);
}

TEST(BatchPolicyTest, DispatchesThePreferredPart_BeforeTheDelayIsOver) {
  EXPECT_EQ(Decide(Dynamic(16, {4, 8}), {1, 1, 1, 1, 1}, kOldest), 4u);
  EXPECT_EQ(Decide(Dynamic(16, {4, 8}), {2, 2, 2, 2, 2}, kOldest), 4u);
}

TEST(BatchPolicyTest, TakesTheMaximumAsPreferred_WhenNoneIsGiven) {
  EXPECT_EQ(Decide(Dynamic(4), {1, 1, 1}, kOldest), std::nullopt);
  EXPECT_EQ(Decide(Dynamic(4), {1, 1, 1, 1, 1}, kOldest), 4u);
}

TEST(BatchPolicyTest, DispatchesAllThatFit_WhenTheNextDoesNot) {
  EXPECT_EQ(Decide(Dynamic(8, {8}), {3, 3, 3}, kOldest), 2u);
}

TEST(BatchPolicyTest, DispatchesAllThatFit_WhenTheLargestPreferredSizeIsPassed) {
  EXPECT_EQ(Decide(Dynamic(8, {4}), {3, 3}, kOldest), 2u);
}

TEST(BatchPolicyTest, DispatchesAlone_WhenOneRequestExceedsTheLimit) {
  EXPECT_EQ(Decide(Dynamic(4), {9, 1}, kOldest), 1u);
}

TEST(BatchPolicyTest, NeverExceedsTheLimit_WhenSizesAreHuge) {
  EXPECT_EQ(Decide(Dynamic(INT64_MAX), {INT64_MAX - 1, 2}, kOldest), 1u);
}

TEST(BatchPolicyTest, WaitsForEver_WhenTheDelayPassesTheEndOfTime) {
  Nanos until = 0;
  EXPECT_EQ(Decide(Dynamic(4, {}, kNever), {1}, kOldest, &until), std::nullopt);
  EXPECT_EQ(until, kNever);
}

// The cheap questions must agree with the full decision, or a runner would sleep beside a batch
// that is due.
TEST(BatchPolicyTest, CheapQuestionsMatchTheDecision_ForAllSmallGroups) {
  const std::vector<std::vector<std::int64_t>> preferred = {{}, {1}, {2}, {4}, {2, 5}, {3, 4}};
  for (const auto& sizes : preferred) {
    const BatchPolicyOptions options = Dynamic(5, sizes);
    for (int code = 0; code < 3 * 3 * 3 * 3 * 3; ++code) {
      std::vector<std::int64_t> group;
      std::int64_t total = 0;
      bool due_before = false;
      for (int rest = code; group.size() < 5; rest /= 3) {
        group.push_back(rest % 3 + 1);
        total += group.back();
        const bool due = Decide(options, group, kOldest).has_value();
        if (due && !due_before) {
          EXPECT_TRUE(SizeIsDue(options, total)) << total;
        }
        if (due) {
          EXPECT_TRUE(SizeMayBeDue(options, total)) << total;
        }
        if (SizeIsDue(options, total)) {
          EXPECT_TRUE(due) << total;
        }
        due_before = due_before || due;
      }
    }
  }
}

}  // namespace
}  // namespace headrace::engine
