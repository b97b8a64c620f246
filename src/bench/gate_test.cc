#include "bench/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/diff.h"

namespace headrace::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// 10,000 requests around `ms`, at 100/s.
LevelResult Level(double ms, double throughput, std::uint64_t failed = 0) {
  LevelResult level;
  level.spec.arrivals.rate = 100;
  level.spec.labels = {{"model", "m"}};
  for (int i = 0; i < 10'000; ++i) {
    level.response_time.histogram.Record(
        static_cast<std::int64_t>(ms * 1e6 * (0.9 + 0.2 * (i % 100) / 100)));
  }
  level.response_time.mean = level.response_time.histogram.Mean();
  level.throughput = throughput;
  level.throughput_interval = {throughput, throughput * 0.99, throughput * 1.01};
  level.intended_count = 10'000 + failed;
  level.outcomes[static_cast<int>(load::Outcome::kOk)] = 10'000;
  level.outcomes[static_cast<int>(load::Outcome::kServerError)] = failed;
  return level;
}

ResultDocument Document(LevelResult level) {
  ResultDocument document;
  document.levels = {std::move(level)};
  return document;
}

bool Met(const std::string& text, const ResultDocument* baseline, const ResultDocument& result) {
  const auto gate = ParseGate(text);
  EXPECT_TRUE(gate.ok()) << text << ": " << gate.status().ToString();
  const auto findings = CheckGate(*gate, baseline, result);
  return std::all_of(findings.begin(), findings.end(),
                     [](const GateFinding& finding) { return finding.met; });
}

TEST(GateTest, RelativeAndAbsoluteLimits) {
  const ResultDocument base = Document(Level(10, 100)), slower = Document(Level(10.4, 97, 20));
  EXPECT_TRUE(Met("p99<=+5%", &base, slower));
  EXPECT_FALSE(Met("p99 <= +3%", &base, slower));
  EXPECT_FALSE(Met("p99<=-1%", &base, slower));
  EXPECT_TRUE(Met("p99<=+0%", &base, base));
  EXPECT_FALSE(Met("p99<+0%", &base, base));
  EXPECT_TRUE(Met("throughput>=-5%", &base, slower));
  EXPECT_FALSE(Met("throughput>=-5%, throughput>=-2%", &base, slower));
  EXPECT_TRUE(
      Met("p50<=11ms,mean<20000us,max<=0.1s,throughput>=90/s,throughput>=90", nullptr, slower));
  EXPECT_FALSE(Met("failures<=0.1%", nullptr, slower));
  EXPECT_TRUE(Met("failures<=0.2%", nullptr, slower));
  EXPECT_FALSE(Met("failures<=+0.1%", &base, slower));
  EXPECT_TRUE(Met("failures<=+0.3%", &base, slower));
}

TEST(GateTest, WhatWasNotComparedIsMissed) {
  ResultDocument base = Document(Level(10, 100));
  base.levels[0].spec.arrivals.rate = 50;
  const auto findings = CheckGate(*ParseGate("p99<=+5%"), &base, Document(Level(10, 100)));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings[0].met);
  EXPECT_THAT(findings[0].text, HasSubstr("the baseline has no such level"));
  EXPECT_FALSE(CheckGate(*ParseGate("p99<=1s"), nullptr, ResultDocument()).front().met);
  ResultDocument timeouts = Document(Level(10, 100));
  timeouts.levels[0].response_time.infinite_count = 10'000;
  EXPECT_FALSE(Met("p99<=1s", nullptr, timeouts));
  EXPECT_FALSE(Met("p99<=+5%", &timeouts, timeouts));
}

TEST(GateTest, Faults_NameTheConditionAndTheRightForm) {
  for (const auto& [text, message] : {
           std::pair<std::string, std::string>{"", "has no <=, >=, < or >"},
           {"p99", "'p99' has no <=, >=, < or >"},
           {"p99<=5%", "the limit '5%' is wrong; a latency is such as 100ms"},
           {"p99<=100", "the limit '100' is wrong"},
           {"p99<=+x%", "a change is such as +5%"},
           {"p101<=1ms", "'p101' is none of throughput"},
           {"speed>=1", "'speed' is none of throughput"},
           {"failures<=1", "a share of failures is such as 0.1%"},
           {"throughput>=5ms", "a rate is such as 500/s"},
           {"p99<=1ms,", "has no <="},
       }) {
    const auto gate = ParseGate(text);
    ASSERT_FALSE(gate.ok()) << text;
    EXPECT_THAT(gate.status().message(), HasSubstr(message)) << text;
  }
  EXPECT_TRUE(NeedsBaseline(*ParseGate("p99<=1ms,p50<=+1%")));
  EXPECT_FALSE(NeedsBaseline(*ParseGate("p99<=1ms")));
}

DiffVerdict VerdictOf(const DiffResult& diff, const std::string& metric) {
  for (const DiffRow& row : diff.rows) {
    if (MetricName(row.metric) == metric) {
      return row.verdict;
    }
  }
  ADD_FAILURE() << metric;
  return DiffVerdict::kNoDifference;
}

TEST(DiffTest, Verdicts_NeedIntervalsApartAndEnoughChange) {
  const ResultDocument base = Document(Level(10, 100));
  const DiffResult same = Diff(base, base, 0.01);
  EXPECT_FALSE(same.any_worse);
  EXPECT_EQ(VerdictOf(same, "p99"), DiffVerdict::kNoDifference);
  const DiffResult slower = Diff(base, Document(Level(12, 90, 100)), 0.01);
  EXPECT_TRUE(slower.any_worse);
  EXPECT_EQ(VerdictOf(slower, "p99"), DiffVerdict::kWorse);
  EXPECT_EQ(VerdictOf(slower, "throughput"), DiffVerdict::kWorse);
  EXPECT_EQ(VerdictOf(slower, "failures"), DiffVerdict::kWorse);
  const DiffResult faster = Diff(base, Document(Level(8, 101)), 0.01);
  EXPECT_EQ(VerdictOf(faster, "p99"), DiffVerdict::kBetter);
  EXPECT_EQ(VerdictOf(faster, "throughput"), DiffVerdict::kNoDifference);  // intervals overlap
  EXPECT_EQ(VerdictOf(Diff(base, Document(Level(12, 90)), 0.5), "p99"), DiffVerdict::kNoDifference);
  EXPECT_THAT(DiffText(slower), HasSubstr("worse"));
  EXPECT_THAT(DiffJson(slower), HasSubstr(R"("any_worse":true)"));
}

TEST(DiffTest, RoundsAreOne_AndLevelsOfOneSideAreNamed) {
  ResultDocument before = Document(Level(10, 100)), after = Document(Level(10, 100));
  before.levels.push_back(Level(10, 110));
  before.levels[0].spec.labels["round"] = "1";
  before.levels[1].spec.labels["round"] = "2";
  after.levels.push_back(Level(10, 100));
  after.levels[1].spec.arrivals.rate = 200;
  const DiffResult diff = Diff(before, after, 0.01);
  EXPECT_EQ(diff.rows.front().before.value, 105);
  EXPECT_EQ(diff.only_after.size(), 1u);
  EXPECT_TRUE(diff.only_before.empty());
}

}  // namespace
}  // namespace headrace::bench
