#include "bench/aggregate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bench/bench_test_support.h"

namespace headrace::bench {
namespace {

using load::Outcome;
using load::RequestRecord;
using testing::Answer;
using testing::ConstantRate;
using testing::OneItem;
using testing::Play;

constexpr Nanos kStart = 1000 * kSecond;

Answer After(Nanos at, Nanos delay) { return {at + delay, Outcome::kOk}; }

LevelResult Measured(const LevelSpec& spec, const load::Workload& workload,
                     const std::vector<RequestRecord>& records) {
  Aggregate aggregate(spec, workload, kStart);
  aggregate.Begin(kStart);
  aggregate.Take(records);
  aggregate.End(kStart + spec.stop.duration);
  return aggregate.Finish();
}

TEST(AggregateTest, Finish_HasTheRatesAndTheLatencies_OfASteadyServer) {
  const load::Workload workload = OneItem(4);
  const LevelSpec spec = ConstantRate(1000);
  const auto records = Play(spec, kStart, kStart + 12 * kSecond,
                            [](Nanos at) { return After(at, 5 * kMillisecond); });
  const LevelResult level = Measured(spec, workload, records);
  EXPECT_NEAR(level.intended_count, 10'000, 1);
  EXPECT_NEAR(level.request_rate, 1000, 1);
  EXPECT_NEAR(level.throughput, 4000, 4);
  EXPECT_NEAR(level.response_time.Percentile(50).value, 5e6, 5e3);
  EXPECT_NEAR(level.response_time.mean, 5e6, 5e3);
  ASSERT_EQ(level.seconds.size(), 10u);
  EXPECT_NEAR(level.seconds[3].arrived, 1000, 1);
  EXPECT_NEAR(level.seconds[3].p99, 5e6, 5e4);
  EXPECT_LT(level.throughput_interval.high - level.throughput_interval.low, 40);
}

// The server stands still from 4 s to 5 s: in an open loop a tenth of all requests waits for it.
TEST(AggregateTest, Finish_ShowsAPause_InTheTailOfAnOpenLoop) {
  const Nanos pause = kStart + 4 * kSecond;
  const auto stalls = [pause](Nanos at) {
    const Nanos done = at + kMillisecond;
    return done >= pause && done < pause + kSecond ? Answer{pause + kSecond} : Answer{done};
  };
  const LevelSpec open = ConstantRate(100);
  const LevelResult level =
      Measured(open, OneItem(), Play(open, kStart, kStart + 10 * kSecond, stalls));
  EXPECT_NEAR(level.response_time.Percentile(99).value, 0.9e9, 0.06e9);
  EXPECT_NEAR(level.response_time.histogram.max(), 1e9, 0.02e9);
  EXPECT_GT(level.seconds[4].p50, 400 * kMillisecond);

  // A closed loop that is as fast as the server sends nothing meanwhile: one bad sample.
  LevelSpec closed;
  closed.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
  std::vector<RequestRecord> records;
  for (Nanos at = kStart; at < kStart + 10 * kSecond;) {
    RequestRecord record;
    record.intended = record.sent = at;
    record.done = record.first_response = at = stalls(at).done;
    records.push_back(record);
  }
  const LevelResult blind = Measured(closed, OneItem(), records);
  EXPECT_LT(blind.response_time.Percentile(99.9).value, 2e6);
}

TEST(AggregateTest, Finish_CountsByTheIntendedTime_AndRatesByTheEnd) {
  const LevelSpec spec = ConstantRate(100, 2 * kSecond);
  // Everything takes a second, so that a second's worth ends behind the measured phase.
  const auto records =
      Play(spec, kStart, kStart + 2 * kSecond, [](Nanos at) { return After(at, kSecond); });
  const LevelResult level = Measured(spec, OneItem(), records);
  EXPECT_NEAR(level.intended_count, 200, 1);
  EXPECT_NEAR(level.response_time.count(), 200, 1);
  EXPECT_NEAR(level.request_rate, 50, 1);
}

TEST(AggregateTest, Finish_CountsTimeouts_AsNeverAnswered) {
  const LevelSpec spec = ConstantRate(100);
  int number = 0;
  const auto records = Play(spec, kStart, kStart + 10 * kSecond, [&number](Nanos at) {
    return ++number % 20 == 0 ? Answer{at + kSecond, Outcome::kTimeout} : After(at, kMillisecond);
  });
  const LevelResult level = Measured(spec, OneItem(), records);
  EXPECT_NEAR(level.response_time.infinite_count, 50, 1);
  EXPECT_TRUE(std::isinf(level.response_time.Percentile(99).value));
  EXPECT_NEAR(level.response_time.Percentile(90).value, 1e6, 1e3);
  EXPECT_EQ(level.seconds[2].p99, kNever);
}

TEST(AggregateTest, Finish_KeepsFailuresApart) {
  LevelSpec spec = ConstantRate(100);
  spec.sla = 2 * kMillisecond;
  int number = 0;
  auto records = Play(spec, kStart, kStart + 10 * kSecond, [&number](Nanos at) {
    ++number;
    return number % 10 == 0  ? Answer{at + 100 * kMicrosecond, Outcome::kRefused}
           : number % 2 == 0 ? After(at, 3 * kMillisecond)
                             : After(at, kMillisecond);
  });
  for (RequestRecord& record : records) {
    record.wire_status = record.outcome == Outcome::kOk ? 200 : 503;
  }
  const LevelResult level = Measured(spec, OneItem(), records);
  EXPECT_NEAR(level.failure_count(), 100, 1);
  EXPECT_NEAR(level.wire_statuses.at(503), 100, 1);
  EXPECT_EQ(level.wire_statuses.size(), 1u);
  EXPECT_NEAR(level.failure_time.mean, 1e5, 1e2);
  EXPECT_GE(level.response_time.histogram.min(), 999'000);
  EXPECT_NEAR(level.request_rate, 90, 0.5);
  EXPECT_NEAR(level.goodput, 50, 0.5);
}

TEST(AggregateTest, Finish_TakesExactlyTheCountThatWasAskedFor) {
  LevelSpec spec = ConstantRate(1000);
  spec.stop.request_count = 500;
  const auto records =
      Play(spec, kStart, kStart + kSecond, [](Nanos at) { return After(at, 2 * kMillisecond); });
  const load::Workload workload = OneItem();
  Aggregate aggregate(spec, workload, kStart);
  aggregate.Begin(kStart);
  aggregate.Take({records.data(), 300});
  EXPECT_FALSE(aggregate.Decide(kStart + 302 * kMillisecond));
  aggregate.Take({records.data() + 300, 250});
  EXPECT_EQ(aggregate.Decide(kStart + 552 * kMillisecond), StopReason::kCount);
  aggregate.End(kStart + 552 * kMillisecond);
  const LevelResult level = aggregate.Finish();
  EXPECT_EQ(level.intended_count, 500u);
  EXPECT_NEAR(level.duration_s(), 0.5, 0.002);
  EXPECT_NEAR(level.request_rate, 1000, 10);
}

TEST(AggregateTest, Finish_TakesExactlyTheCount_WhereSeveralLeaveAtOneTime) {
  LevelSpec spec = ConstantRate(1000);
  spec.stop.request_count = 5;
  auto records =
      Play(spec, kStart, kStart + kSecond, [](Nanos at) { return After(at, 2 * kMillisecond); });
  records.resize(8);
  records[4].intended = records[5].intended = records[6].intended;
  const load::Workload workload = OneItem();
  Aggregate aggregate(spec, workload, kStart);
  aggregate.Begin(kStart);
  aggregate.Take(records);
  EXPECT_EQ(aggregate.Decide(kStart + kSecond / 2), StopReason::kCount);
  aggregate.End(kStart + kSecond / 2);
  EXPECT_EQ(aggregate.Finish().intended_count, 5u);
}

TEST(AggregateTest, Finish_TellsItemsApart_WhenThereAreSeveral) {
  load::Workload workload = OneItem();
  workload.items.push_back(workload.items.front());
  workload.items[1].name = "slow";
  workload.items[1].sla = 10 * kMillisecond;
  const LevelSpec spec = ConstantRate(100);
  auto records =
      Play(spec, kStart, kStart + 10 * kSecond, [](Nanos at) { return After(at, kMillisecond); });
  for (std::size_t i = 0; i < records.size(); i += 2) {
    records[i].item = 1;
    records[i].done += 20 * kMillisecond;
  }
  const LevelResult level = Measured(spec, workload, records);
  ASSERT_EQ(level.items.size(), 2u);
  EXPECT_EQ(level.items[1].name, "slow");
  EXPECT_NEAR(level.items[1].count, 500, 1);
  EXPECT_NEAR(level.items[1].response_time.mean, 21e6, 21e3);
  EXPECT_NEAR(level.items[0].goodput, 50, 1);
  EXPECT_EQ(level.items[1].goodput, 0);
}

TEST(AggregateTest, Take_LeavesOutTheWarmUp_ButKeepsTheFirstRequest) {
  const LevelSpec spec = ConstantRate(100, kSecond);
  const auto records = Play(spec, kStart, kStart + 2 * kSecond, [](Nanos at) {
    return After(at, at < kStart + 20 * kMillisecond ? 300 * kMillisecond : kMillisecond);
  });
  std::vector<RequestRecord> before;
  std::vector<RequestRecord> after;
  for (const RequestRecord& record : records) {
    (record.done < kStart + kSecond ? before : after).push_back(record);
  }
  const load::Workload workload = OneItem();
  Aggregate aggregate(spec, workload, kStart);
  aggregate.Take(before);
  aggregate.Begin(kStart + kSecond);
  aggregate.Take(after);
  aggregate.End(kStart + 2 * kSecond);
  const LevelResult level = aggregate.Finish();
  EXPECT_NEAR(level.intended_count, 100, 1);
  EXPECT_LT(level.response_time.histogram.max(), 2 * kMillisecond);
  EXPECT_EQ(level.cold_first_request, 300 * kMillisecond);
}

// Feeds the records as they end and asks every 20 ms; when, and what for, the level ends.
struct Decision {
  std::optional<StopReason> reason;
  double after_s = 0;
};
Decision Decide(const LevelSpec& spec, const std::vector<RequestRecord>& records) {
  const load::Workload workload = OneItem();
  Aggregate aggregate(spec, workload, kStart);
  aggregate.Begin(kStart);
  std::size_t next = 0;
  for (Nanos now = kStart; now <= kStart + spec.stop.duration; now += 20 * kMillisecond) {
    std::size_t end = next;
    while (end < records.size() && records[end].done <= now) {
      ++end;
    }
    aggregate.Take({records.data() + next, end - next});
    next = end;
    if (const auto reason = aggregate.Decide(now)) {
      return {reason, static_cast<double>(now - kStart) * 1e-9};
    }
  }
  return {};
}

LevelSpec SlaSpec(double rate) {
  LevelSpec spec = ConstantRate(rate, 30 * kSecond);
  spec.sla = 50 * kMillisecond;
  spec.stop.decide_sla = true;
  return spec;
}

TEST(AggregateTest, Decide_SeesSoonThatAnSlaIsMet) {
  const LevelSpec spec = SlaSpec(1000);
  const auto decision = Decide(spec, Play(spec, kStart, kStart + 30 * kSecond,
                                          [](Nanos at) { return After(at, 10 * kMillisecond); }));
  EXPECT_EQ(decision.reason, StopReason::kSlaMet);
  EXPECT_GE(decision.after_s, 2);
  EXPECT_LT(decision.after_s, 3);
}

TEST(AggregateTest, Decide_SeesSoonThatAnSlaIsMissed) {
  const LevelSpec spec = SlaSpec(1000);
  int number = 0;
  const auto decision =
      Decide(spec, Play(spec, kStart, kStart + 30 * kSecond, [&](Nanos at) {
               return After(at, ++number % 10 == 0 ? 80 * kMillisecond : 10 * kMillisecond);
             }));
  EXPECT_EQ(decision.reason, StopReason::kSlaMissed);
  EXPECT_LT(decision.after_s, 2);
}

// Those that never come back are the ones that end last: what is out counts, too.
TEST(AggregateTest, Decide_CountsWhatIsStillOut) {
  const LevelSpec spec = SlaSpec(1000);
  int number = 0;
  const auto decision = Decide(spec, Play(spec, kStart, kStart + 30 * kSecond, [&](Nanos at) {
                                 return ++number % 10 == 0
                                            ? Answer{at + 60 * kSecond, Outcome::kTimeout}
                                            : After(at, 10 * kMillisecond);
                               }));
  EXPECT_EQ(decision.reason, StopReason::kSlaMissed);
  EXPECT_LT(decision.after_s, 2);
}

TEST(AggregateTest, Decide_SeesThatAnswersFallBehind_BeforeALongSlaIsMissed) {
  LevelSpec spec = SlaSpec(1000);
  spec.sla = 300 * kMillisecond;
  Nanos free = kStart;
  const auto decision = Decide(spec, Play(spec, kStart, kStart + 30 * kSecond, [&free](Nanos at) {
                                 free = std::max(free, at) + 2 * kMillisecond;  // 500/s
                                 return Answer{free};
                               }));
  ASSERT_TRUE(decision.reason);
  EXPECT_TRUE(decision.reason == StopReason::kBacklog || decision.reason == StopReason::kSlaMissed);
  EXPECT_LT(decision.after_s, 3);
}

TEST(AggregateTest, Decide_EndsWhenTheIntervalIsNarrow) {
  LevelSpec spec = ConstantRate(5000, 30 * kSecond);
  spec.stop.interval_width = 0.05;
  const auto decision = Decide(spec, Play(spec, kStart, kStart + 30 * kSecond, [](Nanos at) {
                                 return After(at, 10 * kMillisecond + at % kMillisecond);
                               }));
  EXPECT_EQ(decision.reason, StopReason::kInterval);
  EXPECT_LT(decision.after_s, 2);
}

TEST(AggregateTest, Decide_EndsWithTheSchedule) {
  LevelSpec spec = ConstantRate(0, 30 * kSecond);
  spec.arrivals.kind = load::ArrivalSpec::Kind::kSchedule;
  spec.arrivals.intervals = {0, kSecond, 2 * kSecond};
  const auto decision = Decide(spec, Play(spec, kStart, kStart + 30 * kSecond,
                                          [](Nanos at) { return After(at, 10 * kMillisecond); }));
  EXPECT_EQ(decision.reason, StopReason::kScheduleEnd);
  EXPECT_NEAR(decision.after_s, 2, 0.1);
}

TEST(AggregateTest, ServerGone_AfterTwoSecondsWithoutAConnection) {
  const LevelSpec spec = ConstantRate(100);
  const load::Workload workload = OneItem();
  Aggregate aggregate(spec, workload, kStart);
  aggregate.Begin(kStart);
  const auto records = Play(spec, kStart, kStart + 4 * kSecond, [](Nanos at) {
    return at < kStart + kSecond ? After(at, kMillisecond) : Answer{at, Outcome::kConnect};
  });
  std::vector<RequestRecord> by_then;
  for (const RequestRecord& record : records) {
    if (record.done < kStart + 5 * kSecond / 2) {
      by_then.push_back(record);
    }
  }
  aggregate.Take(by_then);
  EXPECT_FALSE(aggregate.ServerGone(kStart + 5 * kSecond / 2));
  aggregate.Take({records.data() + by_then.size(), records.size() - by_then.size()});
  EXPECT_TRUE(aggregate.ServerGone(kStart + 7 * kSecond / 2));
}

}  // namespace
}  // namespace headrace::bench
