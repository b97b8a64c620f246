#include "worker/second_batch.h"

#include <gtest/gtest.h>

namespace headrace::worker {
namespace {

void RecordShort(SecondBatchRule& rule, int count) {
  for (int i = 0; i < count; ++i) {
    rule.Record(20 * kMicrosecond, /*small=*/true);
  }
}

TEST(SecondBatchRule, AutoAllowsItAfterARowOfShortExecutions) {
  SecondBatchRule rule(SecondBatch::kAuto);
  RecordShort(rule, SecondBatchRule::kScoreMin - 1);
  EXPECT_FALSE(rule.allows());
  RecordShort(rule, 1);
  EXPECT_TRUE(rule.allows());
}

TEST(SecondBatchRule, AutoBearsAFewLongExecutionsAndNoMore) {
  SecondBatchRule rule(SecondBatch::kAuto);
  RecordShort(rule, 1000);
  rule.Record(3 * kMillisecond, true);
  EXPECT_TRUE(rule.allows());
  for (int i = 0; i < 8; ++i) {
    rule.Record(3 * kMillisecond, true);
  }
  EXPECT_FALSE(rule.allows());
  // One in three is long: never again.
  for (int i = 0; i < 300; ++i) {
    rule.Record(i % 3 == 0 ? 3 * kMillisecond : kMicrosecond, true);
    EXPECT_FALSE(rule.allows());
  }
}

TEST(SecondBatchRule, OnAllowsItAtOnceAndOffNever) {
  SecondBatchRule on(SecondBatch::kOn), off(SecondBatch::kOff);
  EXPECT_TRUE(on.allows());
  on.Record(kSecond, true);
  EXPECT_TRUE(on.allows());
  RecordShort(off, 1000);
  EXPECT_FALSE(off.allows());
}

TEST(SecondBatchRule, WhatTakesMuchRoomGoesAlone) {
  for (const SecondBatch mode : {SecondBatch::kAuto, SecondBatch::kOn}) {
    SecondBatchRule rule(mode);
    RecordShort(rule, 1000);
    rule.Record(kMicrosecond, /*small=*/false);
    EXPECT_FALSE(rule.allows());
    RecordShort(rule, 1000);
    EXPECT_TRUE(rule.allows());
  }
}

TEST(SecondBatchRule, TheFirstBatchAfterADeathGoesAlone) {
  for (const SecondBatch mode : {SecondBatch::kAuto, SecondBatch::kOn}) {
    SecondBatchRule rule(mode);
    RecordShort(rule, 1000);
    rule.WorkerDied();
    EXPECT_FALSE(rule.allows());
    RecordShort(rule, SecondBatchRule::kScoreMin);
    EXPECT_TRUE(rule.allows());
  }
}

}  // namespace
}  // namespace headrace::worker
