#include "bench/verdict.h"

#include <gtest/gtest.h>

#include <cmath>

#include "bench/bench_test_support.h"

namespace headrace::bench {
namespace {

// Ten seconds of a thousand requests that took five milliseconds.
LevelResult Steady() {
  LevelResult level;
  level.spec = testing::ConstantRate(1000);
  level.measured_to = 10 * kSecond;
  level.intended_count = level.sent_count = 10'000;
  level.outcomes[0] = 10'000;
  level.request_rate = level.throughput = 1000;
  level.response_time.histogram.Record(5 * kMillisecond, 10'000);
  level.send_lag.histogram.Record(20 * kMicrosecond, 10'000);
  for (int i = 0; i < 10; ++i) {
    level.seconds.push_back({1000, 1000, 0, 1000, 5 * kMillisecond + i % 3, 6 * kMillisecond});
  }
  return level;
}

const Verdict::Line* Find(const Verdict& verdict, Remark remark) {
  for (const Verdict::Line& line : verdict.lines) {
    if (line.remark == remark) {
      return &line;
    }
  }
  return nullptr;
}

TEST(VerdictTest, Judge_SaysNothing_OfASteadyLevel) {
  const Verdict verdict = Judge(Steady());
  EXPECT_TRUE(verdict.stable);
  EXPECT_TRUE(verdict.lines.empty()) << verdict.lines.front().text;
}

TEST(VerdictTest, Judge_SeesDrift) {
  LevelResult level = Steady();
  for (int i = 0; i < 10; ++i) {
    level.seconds[i].p50 = (50 + 3 * i) * kMillisecond / 10;
  }
  const Verdict verdict = Judge(level);
  EXPECT_FALSE(verdict.stable);
  const auto* const line = Find(verdict, Remark::kDrift);
  ASSERT_TRUE(line);
  EXPECT_NE(line->text.find("p50 rises by 2.70 ms"), std::string::npos) << line->text;
}

TEST(VerdictTest, Judge_SeesAnswersThatFallBehind_AndTheCapacity) {
  LevelResult level = Steady();
  level.request_rate = 800;
  for (Second& second : level.seconds) {
    second.done = 800;
  }
  const Verdict verdict = Judge(level);
  const auto* const line = Find(verdict, Remark::kBacklog);
  ASSERT_TRUE(line);
  EXPECT_NE(line->text.find("by 200/s of 1,000/s"), std::string::npos) << line->text;
  EXPECT_NE(line->text.find("about 800/s"), std::string::npos) << line->text;
}

TEST(VerdictTest, Judge_SeesAClientThatIsLate_WithItsProof) {
  LevelResult level = Steady();
  level.send_lag.histogram.Record(3 * kMillisecond, 1000);
  level.client.cpu_share = 0.97;
  const Verdict verdict = Judge(level);
  const auto* const line = Find(verdict, Remark::kClientBound);
  ASSERT_TRUE(line);
  EXPECT_NE(line->text.find("send lag p99 3.0"), std::string::npos) << line->text;
  EXPECT_NE(line->text.find("97 %"), std::string::npos) << line->text;
}

TEST(VerdictTest, Judge_SeesRequestsThatWaitedForAConnection) {
  LevelResult level = Steady();
  level.client.waited_for_connection_count = 500;
  ASSERT_TRUE(Find(Judge(level), Remark::kClientBound));
  level.client.waited_for_connection_count = 50;
  EXPECT_FALSE(Find(Judge(level), Remark::kClientBound));
}

TEST(VerdictTest, Judge_SaysHowManyRequestsAPercentileNeeds) {
  LevelResult level = Steady();
  level.spec.percentile = 99.99;
  const Verdict verdict = Judge(level);
  const auto* const line = Find(verdict, Remark::kTooFewForPercentile);
  ASSERT_TRUE(line);
  EXPECT_NE(line->text.find("36,887 are needed"), std::string::npos) << line->text;
  EXPECT_NE(line->text.find("37 s"), std::string::npos) << line->text;
}

TEST(VerdictTest, Judge_CountsFailuresByClassAndStatus_AndStaysStable) {
  LevelResult level = Steady();
  level.outcomes[0] = 9'900;
  level.outcomes[static_cast<int>(load::Outcome::kRefused)] = 90;
  level.outcomes[static_cast<int>(load::Outcome::kTimeout)] = 10;
  level.wire_statuses[503] = 90;
  const Verdict verdict = Judge(level);
  EXPECT_TRUE(verdict.stable);
  const auto* const line = Find(verdict, Remark::kFailures);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->text,
            "100 of 10,000 requests failed (1 %): refused 90, timeout 10; status 503 x 90");
}

TEST(VerdictTest, Judge_SeesANoisyMachine_AndAnEarlyEnd) {
  LevelResult level = Steady();
  level.machine.steal_share = 0.05;
  level.stop_reason = StopReason::kServerGone;
  const Verdict verdict = Judge(level);
  EXPECT_TRUE(Find(verdict, Remark::kNoisyMachine));
  EXPECT_TRUE(Find(verdict, Remark::kStoppedEarly));
  EXPECT_FALSE(verdict.stable);
}

TEST(VerdictTest, NumberText_GroupsThousands) {
  EXPECT_EQ(NumberText(1'234'567), "1,234,567");
  EXPECT_EQ(NumberText(842), "842");
  EXPECT_EQ(NumberText(12.54), "12.5");
  EXPECT_EQ(NumberText(0.123), "0.12");
  EXPECT_EQ(NumberText(-1500.2), "-1,500");
}

}  // namespace
}  // namespace headrace::bench
