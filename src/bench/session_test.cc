#include "bench/session.h"

#include <gtest/gtest.h>

#include <atomic>

#include "bench/bench_test_support.h"
#include "load/testing/fake_transports.h"

namespace headrace::bench {
namespace {

using load::Outcome;
using load::testing::FakeAnswer;
using load::testing::FakeTransports;

// A short level: how long it takes is the machine's affair, what it counts is ours.
LevelSpec Short() {
  LevelSpec spec = testing::ConstantRate(500, 200 * kMillisecond);
  spec.warmup_max = 0;
  spec.drain_max = 30 * kSecond;
  return spec;
}

TEST(SessionTest, Run_CountsEveryArrivalOfTheMeasuredPhase) {
  FakeTransports transports([](Nanos) { return FakeAnswer{kMillisecond}; });
  const load::Workload workload = testing::OneItem();
  const auto session = Session::Over(transports, workload, nullptr, {.sender_count = 2});
  const auto level = session->Run(Short());
  ASSERT_TRUE(level.ok()) << level.status().message();
  EXPECT_EQ(level->intended_count, 100u);
  EXPECT_EQ(level->outcomes[0], 100u);
  EXPECT_GE(level->response_time.histogram.min(), kMillisecond - kMicrosecond);
  EXPECT_EQ(level->client.sender_count, 2);
  EXPECT_GT(level->client.cpu_per_request_us, 0);
  EXPECT_TRUE(level->cold_first_request);
  EXPECT_EQ(level->stop_reason, StopReason::kDuration);
}

TEST(SessionTest, Run_MayBeCalledAgain) {
  FakeTransports transports([](Nanos) { return FakeAnswer{kMillisecond}; });
  const load::Workload workload = testing::OneItem();
  const auto session = Session::Over(transports, workload, nullptr, {});
  for (int i = 0; i < 2; ++i) {
    const auto level = session->Run(Short());
    ASSERT_TRUE(level.ok());
    EXPECT_EQ(level->intended_count, 100u);
  }
}

TEST(SessionTest, Run_WaitsForWhatIsOut_AndCountsWhatNeverComes) {
  std::atomic<int> number = 0;
  FakeTransports transports(
      [&number](Nanos) { return FakeAnswer{++number % 10 == 0 ? kNever : 300 * kMillisecond}; });
  const load::Workload workload = testing::OneItem();
  const auto session = Session::Over(transports, workload, nullptr, {});
  LevelSpec spec = Short();
  spec.drain_max = 3 * kSecond;
  const auto level = session->Run(spec);
  ASSERT_TRUE(level.ok());
  EXPECT_EQ(level->intended_count, 100u);
  EXPECT_EQ(level->outcomes[static_cast<int>(Outcome::kTimeout)], 10u);
  EXPECT_EQ(level->response_time.infinite_count, 10u);
}

TEST(SessionTest, Run_OfAClosedLoop_EndsAtExactlyItsCount) {
  FakeTransports transports([](Nanos) { return FakeAnswer{100 * kMicrosecond}; });
  const load::Workload workload = testing::OneItem();
  const auto session = Session::Over(transports, workload, nullptr, {.sender_count = 4});
  LevelSpec spec;
  spec.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
  spec.arrivals.concurrency = 2;
  spec.stop = {.duration = kNever, .request_count = 50};
  spec.warmup_request_count = 20;
  const auto level = session->Run(spec);
  ASSERT_TRUE(level.ok());
  EXPECT_EQ(level->intended_count, 50u);
  EXPECT_EQ(level->stop_reason, StopReason::kCount);
  EXPECT_EQ(level->client.sender_count, 2);  // no more than requests are out
}

TEST(SessionTest, Run_EndsWhenItIsInterrupted_WithWhatIsKnown) {
  std::atomic<bool> stop = false;
  std::atomic<int> sent = 0;
  FakeTransports transports([&](Nanos) {
    stop = ++sent >= 50;
    return FakeAnswer{0};
  });
  const load::Workload workload = testing::OneItem();
  const auto session = Session::Over(transports, workload, nullptr, {.stop = &stop});
  LevelSpec spec = Short();
  spec.stop.duration = 300 * kSecond;
  const auto level = session->Run(spec);
  ASSERT_TRUE(level.ok());
  EXPECT_EQ(level->stop_reason, StopReason::kInterrupted);
  EXPECT_GE(level->outcomes[0], 40u);
  EXPECT_FALSE(level->verdict.stable);
  EXPECT_EQ(level->verdict.lines.front().remark, Remark::kStoppedEarly);
}

TEST(SessionTest, Run_EndsWhenTheServerHasGone) {
  std::atomic<int> sent = 0;
  FakeTransports transports([&sent](Nanos) {
    return ++sent < 50 ? FakeAnswer{0} : FakeAnswer{0, Outcome::kConnect, 0};
  });
  const load::Workload workload = testing::OneItem();
  const auto session = Session::Over(transports, workload, nullptr, {});
  LevelSpec spec = Short();
  spec.stop.duration = 300 * kSecond;
  const auto level = session->Run(spec);
  ASSERT_TRUE(level.ok());
  EXPECT_EQ(level->stop_reason, StopReason::kServerGone);
  EXPECT_EQ(level->outcomes[0], 49u);
  EXPECT_GT(level->outcomes[static_cast<int>(Outcome::kConnect)], 0u);
}

TEST(SessionTest, Run_Fails_WhenNoConnectionCanBeMade) {
  FakeTransports transports([](Nanos) { return FakeAnswer(); }, Unavailable("nobody listens"));
  const load::Workload workload = testing::OneItem();
  const auto session = Session::Over(transports, workload, nullptr, {});
  EXPECT_EQ(session->Run(Short()).status().message(), "nobody listens");
}

TEST(SessionTest, Run_TellsHowFarItIs) {
  FakeTransports transports([](Nanos) { return FakeAnswer{0}; });
  const load::Workload workload = testing::OneItem();
  std::vector<Progress::Phase> phases;
  SessionOptions options;
  options.progress = [&phases](const Progress& progress) { phases.push_back(progress.phase); };
  const auto session = Session::Over(transports, workload, nullptr, std::move(options));
  LevelSpec spec = Short();
  spec.warmup_max = 50 * kMillisecond;
  ASSERT_TRUE(session->Run(spec).ok());
  EXPECT_EQ(phases.front(), Progress::Phase::kConnect);
  EXPECT_TRUE(std::is_sorted(phases.begin(), phases.end()));
  EXPECT_NE(std::find(phases.begin(), phases.end(), Progress::Phase::kWarmup), phases.end());
  EXPECT_NE(std::find(phases.begin(), phases.end(), Progress::Phase::kMeasure), phases.end());
}

TEST(SessionTest, Run_KeepsRecords_WhenAsked) {
  FakeTransports transports([](Nanos) { return FakeAnswer{0}; });
  const load::Workload workload = testing::OneItem();
  SessionOptions options;
  options.keep_records = true;
  options.keep_records_max = 60;
  const auto session = Session::Over(transports, workload, nullptr, std::move(options));
  const auto level = session->Run(Short());
  ASSERT_TRUE(level.ok());
  EXPECT_EQ(level->records.size(), 60u);
}

}  // namespace
}  // namespace headrace::bench
