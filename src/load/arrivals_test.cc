#include "load/arrivals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

namespace headrace::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = ArrivalSpec::Kind;

ArrivalSpec Spec(Kind kind, double rate = 1000) {
  ArrivalSpec spec;
  spec.kind = kind;
  spec.rate = rate;
  return spec;
}

std::vector<Nanos> Take(ArrivalSchedule& schedule, int count) {
  std::vector<Nanos> times;
  for (int i = 0; i < count; ++i) {
    times.push_back(schedule.Next());
  }
  return times;
}

std::vector<Nanos> First(const ArrivalSpec& spec, int count) {
  ArrivalSchedule schedule(spec, 0, 1);
  return Take(schedule, count);
}

// Arrivals in [begin, end).
int CountIn(const std::vector<Nanos>& times, Nanos begin, Nanos end) {
  return static_cast<int>(std::count_if(times.begin(), times.end(),
                                        [&](Nanos time) { return time >= begin && time < end; }));
}

// The squared coefficient of variation of the gaps.
double GapVariation(const std::vector<Nanos>& times) {
  double sum = 0, squares = 0;
  for (std::size_t i = 1; i < times.size(); ++i) {
    const auto gap = static_cast<double>(times[i] - times[i - 1]);
    sum += gap;
    squares += gap * gap;
  }
  const auto count = static_cast<double>(times.size() - 1);
  const double mean = sum / count;
  return squares / count / (mean * mean) - 1;
}

TEST(ArrivalsTest, Constant_HasNoDrift) {
  ArrivalSchedule schedule(Spec(Kind::kConstant, 3000), 0, 1);
  EXPECT_EQ(schedule.Next(), 0);
  EXPECT_EQ(schedule.Next(), 333'333);
  Nanos last = 0;
  for (int i = 2; i <= 3'000'000; ++i) {
    last = schedule.Next();
  }
  EXPECT_EQ(last, 1000 * kSecond);
}

TEST(ArrivalsTest, Poisson_HasTheRateAndTheVariationOfOne) {
  const auto times = First(Spec(Kind::kPoisson, 1000), 100'000);
  EXPECT_NEAR(static_cast<double>(times.back()) / kSecond, 100, 1.5);
  EXPECT_NEAR(GapVariation(times), 1, 0.05);
}

TEST(ArrivalsTest, Poisson_IsTheSameOnEveryMachine) {
  EXPECT_THAT(First(Spec(Kind::kPoisson), 3), ElementsAre(1'669'252, 3'044'032, 3'149'560));
}

TEST(ArrivalsTest, Seeds_MakeDifferentSchedules) {
  ArrivalSpec other = Spec(Kind::kPoisson);
  other.seed = 2;
  EXPECT_NE(First(other, 3), First(Spec(Kind::kPoisson), 3));
}

TEST(ArrivalsTest, Gamma_HasTheRate_AndTheVariationOfItsShape) {
  for (const double shape : {0.25, 4.0}) {
    ArrivalSpec spec = Spec(Kind::kGamma, 1000);
    spec.burstiness = shape;
    const auto times = First(spec, 100'000);
    EXPECT_NEAR(static_cast<double>(times.back()) / kSecond, 100, 3) << shape;
    EXPECT_NEAR(GapVariation(times) * shape, 1, 0.1) << shape;
  }
}

TEST(ArrivalsTest, Strides_ShareOneScheduleWithoutOverlap) {
  for (const Kind kind : {Kind::kPoisson, Kind::kConstant}) {
    const auto all = First(Spec(kind), 30);
    for (std::uint32_t sender = 0; sender < 3; ++sender) {
      ArrivalSchedule schedule(Spec(kind), sender, 3);
      for (std::size_t i = sender; i < all.size(); i += 3) {
        EXPECT_EQ(schedule.Next(), all[i]) << sender << " " << i;
      }
    }
  }
}

TEST(ArrivalsTest, Ramp_IntegratesTheRate) {
  // From 0 to twice the rate in 10 s: rate * t^2 / 10 arrivals until t.
  ArrivalSpec spec = Spec(Kind::kConstant, 100);
  spec.profile = {{0, 0}, {10 * kSecond, 2}};
  const auto times = First(spec, 1201);
  EXPECT_EQ(times[10], kSecond);
  EXPECT_EQ(times[250], 5 * kSecond);
  EXPECT_EQ(times[1000], 10 * kSecond);
  EXPECT_EQ(times[1200], 11 * kSecond);  // the last factor holds
}

TEST(ArrivalsTest, Step_IsTwoPointsOfOneTime) {
  ArrivalSpec spec = Spec(Kind::kPoisson, 1000);
  spec.profile = {{0, 1}, {10 * kSecond, 1}, {10 * kSecond, 5}};
  const auto times = First(spec, 60'000);
  EXPECT_NEAR(CountIn(times, 0, 10 * kSecond), 10'000, 400);
  EXPECT_NEAR(CountIn(times, 10 * kSecond, 19 * kSecond), 45'000, 900);
}

TEST(ArrivalsTest, Burst_LeavesAPauseWithoutArrivals) {
  ArrivalSpec spec = Spec(Kind::kPoisson, 1000);
  spec.profile = {{0, 1},           {kSecond, 1},     {kSecond, 0},    {2 * kSecond, 0},
                  {2 * kSecond, 1}, {3 * kSecond, 1}, {3 * kSecond, 0}};
  const auto times = First(spec, 4000);
  EXPECT_NEAR(CountIn(times, 0, kSecond), 1000, 130);
  EXPECT_EQ(CountIn(times, kSecond, 2 * kSecond), 0);
  EXPECT_NEAR(CountIn(times, 2 * kSecond, 3 * kSecond), 1000, 130);
  EXPECT_EQ(times.back(), kNever);  // the rate stays 0
}

TEST(ArrivalsTest, Replay_RepeatsTheGaps_Scaled) {
  ArrivalSpec spec = Spec(Kind::kReplay);
  spec.intervals = {10, 20, 70};
  EXPECT_THAT(First(spec, 5), ElementsAre(10, 30, 100, 110, 130));
  spec.time_scale = 2;
  EXPECT_THAT(First(spec, 3), ElementsAre(20, 60, 200));
}

TEST(ArrivalsTest, Schedule_EndsOnce) {
  ArrivalSpec spec = Spec(Kind::kSchedule);
  spec.intervals = {5, 9};
  EXPECT_THAT(First(spec, 4), ElementsAre(5, 9, kNever, kNever));
}

TEST(ArrivalsTest, Closed_HasNoSchedule) {
  EXPECT_THAT(First(Spec(Kind::kClosed), 1), ElementsAre(kNever));
}

TEST(ArrivalsTest, Describe_NamesWhatMatters) {
  EXPECT_EQ(Describe(Spec(Kind::kPoisson, 500)), "poisson 500/s");
  ArrivalSpec closed = Spec(Kind::kClosed);
  closed.concurrency = 8;
  EXPECT_EQ(Describe(closed), "closed, 8 at a time");
  ArrivalSpec replay = Spec(Kind::kReplay);
  replay.intervals = {1, 2, 3};
  EXPECT_EQ(Describe(replay), "replay of 3 gaps x 1.0");
  ArrivalSpec ramp = Spec(Kind::kConstant, 100);
  ramp.profile = {{0, 0.5}, {10 * kSecond, 2}};
  EXPECT_EQ(Describe(ramp), "constant 100/s, times 0.5 to 2 over 10 s");
}

class ReadIntervalsTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) {
    std::ofstream(path_) << text;
    return path_;
  }
  ~ReadIntervalsTest() override { std::remove(path_.c_str()); }
  const std::string path_ = ::testing::TempDir() + "intervals." + std::to_string(::getpid());
};

TEST_F(ReadIntervalsTest, ReadsMicroseconds) {
  const auto intervals = ReadIntervals(Write("100\n0\n\n250\r\n"));
  ASSERT_TRUE(intervals.ok()) << intervals.status().message();
  EXPECT_THAT(*intervals, ElementsAre(100'000, 0, 250'000));
}

TEST_F(ReadIntervalsTest, NamesTheLine) {
  for (const std::string bad : {"1.5", "-3", "x", "99999999999999999999", "9223372036854775807"}) {
    const auto intervals = ReadIntervals(Write("1\n" + bad + "\n"));
    ASSERT_FALSE(intervals.ok()) << bad;
    EXPECT_EQ(intervals.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(intervals.status().message(), HasSubstr(":2: '" + bad));
  }
}

TEST_F(ReadIntervalsTest, RefusesNothingAndZeros) {
  EXPECT_FALSE(ReadIntervals(Write("")).ok());
  EXPECT_FALSE(ReadIntervals(Write("0\n0\n")).ok());
  EXPECT_FALSE(ReadIntervals("/nonexistent/intervals").ok());
}

}  // namespace
}  // namespace headrace::load
