#include "worker/life_cycle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace headrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = LifeAction::Kind;

constexpr LifeAction kStartNow = {Kind::kStart, kNever};
constexpr LifeAction kKillNow = {Kind::kKill, kNever};
constexpr LifeAction kNothing = {Kind::kNone, kNever};

// Plays the keeper.
class LifeCycleTest : public ::testing::Test {
 protected:
  void BecomeReady() {
    cycle.OnStarted(now);
    now += kSecond / 5;
    EXPECT_EQ(cycle.OnReady(now), kNothing);
    EXPECT_TRUE(cycle.ready());
  }
  // One start that fails at once; what comes then.
  LifeAction FailStart() {
    cycle.OnStarted(now);
    return cycle.OnEnded("exit status 1", now);
  }

  LifeCycle cycle{{.start_timeout = 10 * kSecond, .give_up = 300 * kSecond}};
  Nanos now = 1000 * kSecond;
};

TEST_F(LifeCycleTest, StartsAndServes) {
  EXPECT_EQ(cycle.state(), LifeState::kStopped);
  EXPECT_EQ(cycle.Begin(now), kStartNow);
  EXPECT_EQ(cycle.state(), LifeState::kStarting);
  EXPECT_EQ(cycle.health().message(), "is starting");
  EXPECT_FALSE(cycle.hopeless());
  BecomeReady();
  EXPECT_TRUE(cycle.health().ok());
  EXPECT_EQ(cycle.OnTime(now + 1000 * kSecond), kNothing);
}

TEST_F(LifeCycleTest, AStartThatTakesTooLongIsKilledAndHasFailed) {
  cycle.Begin(now);
  const LifeAction waits = cycle.OnStarted(now);
  EXPECT_EQ(waits, (LifeAction{Kind::kNone, now + 10 * kSecond}));
  EXPECT_EQ(cycle.OnTime(waits.at - 1), waits);
  EXPECT_EQ(cycle.OnTime(waits.at), kKillNow);
  cycle.OnReady(waits.at);  // too late: the kill is on its way
  EXPECT_FALSE(cycle.ready());
  const LifeAction next = cycle.OnEnded("signal 9 (Killed)", waits.at);
  EXPECT_EQ(next, (LifeAction{Kind::kNone, waits.at + kSecond}));
  EXPECT_THAT(cycle.health().message(), HasSubstr("it did not load the model within 10 s"));
}

TEST_F(LifeCycleTest, OneThatServedStartsAgainAtOnceHoweverOften) {
  cycle.Begin(now);
  for (int i = 0; i < 300; ++i) {
    BecomeReady();
    cycle.OnExecute();
    EXPECT_EQ(cycle.OnEnded("signal 9 (Killed)", now), kStartNow);
    EXPECT_EQ(cycle.state(), LifeState::kRestarting);
    EXPECT_FALSE(cycle.hopeless());
    EXPECT_EQ(cycle.health().message(), "is restarting after: signal 9 (Killed)");
  }
  EXPECT_EQ(cycle.failures(), 0U);
}

TEST_F(LifeCycleTest, OneThatWasReadyForLongNeedNotHaveExecuted) {
  cycle.Begin(now);
  BecomeReady();
  now += 2 * kSecond;
  EXPECT_EQ(cycle.OnEnded("exit status 0", now), kStartNow);
}

TEST_F(LifeCycleTest, AStartThatFailsAfterOneThatServedIsTriedAgainAtOnceThenWaits) {
  cycle.Begin(now);
  BecomeReady();
  cycle.OnExecute();
  cycle.OnEnded("signal 9 (Killed)", now);
  EXPECT_EQ(FailStart(), kStartNow);
  EXPECT_FALSE(cycle.hopeless());
  EXPECT_EQ(FailStart(), (LifeAction{Kind::kNone, now + kSecond}));
  EXPECT_TRUE(cycle.hopeless());
  EXPECT_EQ(cycle.OnTime(now), (LifeAction{Kind::kNone, now + kSecond}));
  EXPECT_EQ(cycle.OnTime(now + kSecond), kStartNow);
  BecomeReady();
  EXPECT_FALSE(cycle.hopeless());
}

TEST_F(LifeCycleTest, WaitsGrowToAMinuteUntilItGivesUp) {
  cycle.Begin(now);
  const Nanos began = now;
  std::vector<Nanos> waits;
  LifeAction action = FailStart();
  while (action.kind != Kind::kGiveUp) {
    ASSERT_EQ(action.kind, Kind::kNone);
    ASSERT_LT(waits.size(), 100U);
    waits.push_back((action.at - now) / kSecond);
    now = action.at;
    ASSERT_EQ(cycle.OnTime(now), kStartNow);
    action = FailStart();
  }
  EXPECT_THAT(waits, ElementsAre(1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 60, 60, 60));
  EXPECT_GE(now - began, 300 * kSecond);
  EXPECT_EQ(cycle.state(), LifeState::kFailed);
  EXPECT_TRUE(cycle.hopeless());
  EXPECT_EQ(
      cycle.health().ToString(),
      "UNAVAILABLE: has failed for good after 14 failed starts in 323 s; the last: exit status 1");
  EXPECT_EQ(cycle.OnTime(now + 1000 * kSecond), kNothing);
}

TEST_F(LifeCycleTest, ASuccessfulStartForgetsTheFailuresOnceItServed) {
  cycle.Begin(now);
  EXPECT_EQ(FailStart().at, now + kSecond);
  EXPECT_EQ(cycle.OnTime(now + kSecond), kStartNow);
  BecomeReady();
  cycle.OnExecute();
  now += 400 * kSecond;
  EXPECT_EQ(cycle.OnEnded("exit status 1", now), kStartNow);
  EXPECT_EQ(FailStart(), kStartNow);
  EXPECT_EQ(FailStart(), (LifeAction{Kind::kNone, now + kSecond}));
}

TEST_F(LifeCycleTest, OneThatDiesAsSoonAsItIsReadyBacksOff) {
  cycle.Begin(now);
  BecomeReady();
  EXPECT_EQ(cycle.OnEnded("exit status 0", now), (LifeAction{Kind::kNone, now + kSecond}));
  now += kSecond;
  EXPECT_EQ(cycle.OnTime(now), kStartNow);
  BecomeReady();
  EXPECT_EQ(cycle.OnEnded("exit status 0", now), (LifeAction{Kind::kNone, now + kSecond}));
  now += kSecond;
  EXPECT_EQ(cycle.OnTime(now), kStartNow);
  BecomeReady();
  EXPECT_EQ(cycle.OnEnded("exit status 0", now), (LifeAction{Kind::kNone, now + 2 * kSecond}));
}

TEST_F(LifeCycleTest, WhatCannotEvenBeStartedBacksOff) {
  cycle.Begin(now);
  EXPECT_EQ(cycle.OnEnded("'/x/python' cannot be started: No such file or directory", now),
            (LifeAction{Kind::kNone, now + kSecond}));
  EXPECT_THAT(cycle.health().message(), HasSubstr("1 start in a row failed; the last: '/x/py"));
}

TEST_F(LifeCycleTest, OneThatMustDieIsKilledForTheFirstReason) {
  cycle.Begin(now);
  BecomeReady();
  cycle.OnExecute();
  EXPECT_EQ(cycle.OnMustDie("no answer within 2 s", now), kKillNow);
  EXPECT_FALSE(cycle.ready());
  EXPECT_EQ(cycle.health().message(), "is being killed: no answer within 2 s");
  EXPECT_EQ(cycle.OnMustDie("something else", now), kKillNow);
  EXPECT_EQ(cycle.OnEnded("signal 9 (Killed)", now), kStartNow);
  EXPECT_EQ(cycle.health().message(), "is restarting after: no answer within 2 s");
  EXPECT_EQ(cycle.OnMustDie("late", now), kNothing);  // there is none to kill
}

TEST_F(LifeCycleTest, GivesUpAtOnceWhenItMayNotRetry) {
  LifeCycle once({.give_up = 0});
  once.Begin(now);
  once.OnStarted(now);
  EXPECT_EQ(once.OnEnded("exit status 1", now).kind, Kind::kGiveUp);
}

TEST_F(LifeCycleTest, ReviveBeginsAnew) {
  LifeCycle once({.give_up = 0});
  once.Begin(now);
  once.OnEnded("exit status 1", now);
  EXPECT_EQ(once.Revive(now), kStartNow);
  EXPECT_EQ(once.state(), LifeState::kStarting);
  EXPECT_EQ(once.failures(), 0U);
  once.OnStarted(now);
  EXPECT_EQ(once.Revive(now).kind, Kind::kNone);  // it is at it

  cycle.Begin(now);
  FailStart();
  EXPECT_EQ(cycle.Revive(now), kStartNow);  // out of a wait
}

TEST_F(LifeCycleTest, OneThatIsToEndDoesNotComeBack) {
  cycle.Begin(now);
  BecomeReady();
  EXPECT_EQ(cycle.OnEndAsked(), kNothing);
  EXPECT_FALSE(cycle.ready());
  EXPECT_TRUE(cycle.hopeless());
  EXPECT_EQ(cycle.OnEnded("exit status 0", now), kNothing);
  EXPECT_EQ(cycle.OnTime(now + 1000 * kSecond), kNothing);
  EXPECT_EQ(cycle.Revive(now), kNothing);
  EXPECT_EQ(cycle.health().message(), "is ending");
}

}  // namespace
}  // namespace headrace::worker
