#include "base/wake_batch.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace headrace {
namespace {

class CountingWaker final : public Waker {
 public:
  void WakeNow() override { ++count; }
  int count = 0;
};

std::shared_ptr<CountingWaker> MakeWaker() { return std::make_shared<CountingWaker>(); }

TEST(WakeBatchTest, Wake_IsImmediate_WithoutABatch) {
  const auto waker = MakeWaker();
  WakeBatch::Wake(waker);
  WakeBatch::WakeBorrowed(*waker);
  EXPECT_EQ(waker->count, 2);
}

TEST(WakeBatchTest, Flush_WakesEachOnce_WhateverTheNumberOfCauses) {
  const auto first = MakeWaker();
  const auto second = MakeWaker();
  WakeBatch wakes;
  EXPECT_TRUE(wakes.empty());
  for (int i = 0; i < 3; ++i) {
    WakeBatch::Wake(first);
    WakeBatch::WakeBorrowed(*second);
  }
  EXPECT_FALSE(wakes.empty());
  EXPECT_EQ(first->count, 0);
  EXPECT_EQ(second->count, 0);
  wakes.Flush();
  EXPECT_TRUE(wakes.empty());
  EXPECT_EQ(first->count, 1);
  EXPECT_EQ(second->count, 1);
  WakeBatch::Wake(first);
  WakeBatch::FlushCurrent();
  EXPECT_EQ(first->count, 2);
}

TEST(WakeBatchTest, Wake_IsImmediate_WhileNotGathering) {
  const auto waker = MakeWaker();
  WakeBatch wakes;
  WakeBatch::Wake(waker);
  wakes.SetGathering(false);
  EXPECT_EQ(waker->count, 1) << "what was gathered is flushed";
  WakeBatch::Wake(waker);
  EXPECT_EQ(waker->count, 2);
  wakes.SetGathering(true);
  WakeBatch::Wake(waker);
  EXPECT_EQ(waker->count, 2);
}

TEST(WakeBatchTest, Wake_LosesNone_BeyondTheCapacity) {
  std::vector<std::shared_ptr<CountingWaker>> wakers;
  {
    WakeBatch wakes;
    for (int i = 0; i < 100; ++i) {
      wakers.push_back(MakeWaker());
      WakeBatch::Wake(wakers.back());
    }
  }
  for (const auto& waker : wakers) {
    EXPECT_EQ(waker->count, 1);
  }
}

TEST(WakeBatchTest, Wake_KeepsAnOwnedWakerUntilTheFlush) {
  std::weak_ptr<CountingWaker> weak;
  WakeBatch wakes;
  {
    const auto waker = MakeWaker();
    weak = waker;
    WakeBatch::Wake(waker);
  }
  EXPECT_FALSE(weak.expired());
  wakes.Flush();
  EXPECT_TRUE(weak.expired());
}

TEST(WakeBatchTest, Batch_ServesOnlyItsOwnThread) {
  const auto waker = MakeWaker();
  WakeBatch wakes;
  std::thread([&] { WakeBatch::Wake(waker); }).join();
  EXPECT_EQ(waker->count, 1);
}

TEST(WakeBatchTest, InnerBatch_GivesWayToTheOuterOne) {
  const auto waker = MakeWaker();
  WakeBatch outer;
  {
    WakeBatch inner;
    WakeBatch::Wake(waker);
  }
  EXPECT_EQ(waker->count, 1);
  WakeBatch::Wake(waker);
  EXPECT_EQ(waker->count, 1);
  outer.Flush();
  EXPECT_EQ(waker->count, 2);
}

}  // namespace
}  // namespace headrace
