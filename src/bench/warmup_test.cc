#include "bench/warmup.h"

#include <gtest/gtest.h>

#include "bench/bench_test_support.h"

namespace headrace::bench {
namespace {

constexpr Nanos kStart = 1000 * kSecond;

// When the rule is satisfied by a server whose delay is a function of the time since the start.
double OverAfter(LevelSpec spec, const std::function<Nanos(Nanos)>& delay) {
  const auto records = testing::Play(spec, kStart, kStart + 20 * kSecond, [&](Nanos at) {
    return testing::Answer{at + delay(at - kStart)};
  });
  WarmupRule rule(spec, kStart);
  std::size_t next = 0;
  for (Nanos now = kStart; now < kStart + 20 * kSecond; now += 20 * kMillisecond) {
    std::size_t end = next;
    while (end < records.size() && records[end].done <= now) {
      ++end;
    }
    rule.Take({records.data() + next, end - next});
    next = end;
    if (rule.IsOver(now)) {
      return static_cast<double>(now - kStart) * 1e-9;
    }
  }
  return -1;
}

TEST(WarmupTest, IsOver_SoonOnASteadyServer) {
  LevelSpec spec = testing::ConstantRate(500);
  spec.warmup_max = 10 * kSecond;
  EXPECT_LT(OverAfter(spec, [](Nanos) { return 5 * kMillisecond; }), 1.6);
}

TEST(WarmupTest, IsOver_NotBeforeAFallingMedianIsFlat) {
  LevelSpec spec = testing::ConstantRate(500);
  spec.warmup_max = 10 * kSecond;
  const double over = OverAfter(spec, [](Nanos since) {
    return std::max<Nanos>(5 * kMillisecond, 65 * kMillisecond - since / 50);
  });
  EXPECT_GE(over, 3);  // flat from 3 s on
  EXPECT_LT(over, 5);
}

TEST(WarmupTest, IsOver_AtItsMaximum_WhenTheMedianNeverStops) {
  LevelSpec spec = testing::ConstantRate(500);
  spec.warmup_max = 4 * kSecond;
  EXPECT_NEAR(OverAfter(spec, [](Nanos since) { return kMillisecond + since / 10; }), 4, 0.03);
}

TEST(WarmupTest, IsOver_AfterTheCountThatWasAskedFor) {
  LevelSpec spec = testing::ConstantRate(100);
  spec.warmup_max = 0;
  spec.warmup_request_count = 50;
  EXPECT_NEAR(OverAfter(spec, [](Nanos) { return kMillisecond; }), 0.5, 0.05);
}

}  // namespace
}  // namespace headrace::bench
