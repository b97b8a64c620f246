#include "worker/readiness.h"

#include <gtest/gtest.h>

namespace headrace::worker {
namespace {

TEST(ReadinessTest, AModelWithoutTheFunctionIsNeverAsked) {
  Readiness readiness;
  readiness.Begin(false, 0);
  EXPECT_EQ(readiness.Ask(kSecond), std::nullopt);
  EXPECT_EQ(readiness.look_at(), kNever);
  EXPECT_TRUE(readiness.report().ok());
}

TEST(ReadinessTest, TheAnswerIsTheReport_UntilTheNext) {
  Readiness readiness;
  readiness.Begin(true, 0);
  EXPECT_EQ(readiness.Ask(0), 1U);
  EXPECT_EQ(readiness.Ask(kSecond), std::nullopt);
  readiness.OnAnswer({.id = 1, .ready = false, .error = {}}, kSecond);
  EXPECT_FALSE(readiness.report().ok());
  EXPECT_EQ(readiness.look_at(), 2 * kSecond);
  EXPECT_EQ(readiness.Ask(2 * kSecond), 2U);
  EXPECT_FALSE(readiness.report().ok());
  readiness.OnAnswer({.id = 2, .ready = true, .error = {}}, 2 * kSecond);
  EXPECT_TRUE(readiness.report().ok());
}

TEST(ReadinessTest, AnErrorIsTheReason) {
  Readiness readiness;
  readiness.Begin(true, 0);
  ASSERT_EQ(readiness.Ask(0), 1U);
  readiness.OnAnswer({.id = 1, .ready = false, .error = Internal("no disk")}, 0);
  EXPECT_NE(readiness.report().message().find("no disk"), std::string::npos);
}

TEST(ReadinessTest, NoAnswerInTimeIsNotReady_AndALateOneCountsForNothing) {
  Readiness readiness;
  readiness.Begin(true, 0);
  ASSERT_EQ(readiness.Ask(0), 1U);
  EXPECT_EQ(readiness.Ask(Readiness::kAnswerTimeout), 2U);
  EXPECT_NE(readiness.report().message().find("5 s"), std::string::npos);
  readiness.OnAnswer({.id = 1, .ready = true, .error = {}}, 6 * kSecond);
  EXPECT_FALSE(readiness.report().ok());
  readiness.OnAnswer({.id = 2, .ready = true, .error = {}}, 6 * kSecond);
  EXPECT_TRUE(readiness.report().ok());
}

TEST(ReadinessTest, TheNextWorkerBeginsAnew) {
  Readiness readiness;
  readiness.Begin(true, 0);
  ASSERT_EQ(readiness.Ask(0), 1U);
  readiness.OnAnswer({.id = 1, .ready = false, .error = {}}, 0);
  readiness.End();
  EXPECT_TRUE(readiness.report().ok());
  readiness.Begin(true, kSecond);
  EXPECT_EQ(readiness.Ask(kSecond), 2U);
}

}  // namespace
}  // namespace headrace::worker
