#include "engine/runner_lot.h"

#include <gtest/gtest.h>

namespace headrace::engine {
namespace {

struct FakeQueue {
  bool has = true, due = true, more = true;
  bool empty() const { return !has; }
  bool Due(Nanos) const { return due; }
  bool HasWorkBeyond(std::size_t waking) const { return more && waking == 0; }
};

TEST(RunnerLotTest, WakesTheLastToSleep_WhenSomethingIsDue) {
  RunnerLot lot;
  RunnerLot::Parked a, b;
  EXPECT_EQ(lot.Park(a, kNever), kNever);
  EXPECT_EQ(lot.Park(b, kNever), kNever);
  EXPECT_EQ(lot.Choose(FakeQueue{}, 0), &b);
  EXPECT_EQ(lot.Choose(FakeQueue{}, 0), nullptr) << "one is on its way already";
  lot.Arrived();
  EXPECT_EQ(lot.Choose(FakeQueue{}, 0), &a);
  lot.Arrived();
}

TEST(RunnerLotTest, LetsOneRunnerWatchTheTime) {
  RunnerLot lot;
  RunnerLot::Parked a, b;
  EXPECT_EQ(lot.Park(a, 70), 70);
  EXPECT_EQ(lot.Park(b, 80), kNever);
  EXPECT_EQ(lot.Choose(FakeQueue{.due = false}, 0), nullptr) << "somebody watches";
  EXPECT_EQ(lot.Choose(FakeQueue{}, 0), &b) << "the watcher stays";
  lot.Arrived();
  EXPECT_TRUE(lot.TimedOut(a));
  EXPECT_EQ(lot.idle_count(), 0u);
}

TEST(RunnerLotTest, WakesARunnerToWatch_WhenNobodyDoes) {
  RunnerLot lot;
  RunnerLot::Parked a;
  lot.Park(a, kNever);
  EXPECT_EQ(lot.Choose(FakeQueue{.due = false}, 0), &a);
  lot.Arrived();
}

TEST(RunnerLotTest, WakesTheWatcher_WhenNobodyElseIsThere) {
  RunnerLot lot;
  RunnerLot::Parked a;
  lot.Park(a, 70);
  EXPECT_EQ(lot.Choose(FakeQueue{}, 0), &a);
  EXPECT_FALSE(lot.TimedOut(a)) << "its wake-up is on the way";
  lot.Arrived();
}

TEST(RunnerLotTest, WakesNobody_WhenTheQueueIsEmpty) {
  RunnerLot lot;
  RunnerLot::Parked a;
  lot.Park(a, kNever);
  EXPECT_EQ(lot.Choose(FakeQueue{.has = false}, 0), nullptr);
  EXPECT_EQ(lot.ChooseAny(), &a);
}

}  // namespace
}  // namespace headrace::engine
