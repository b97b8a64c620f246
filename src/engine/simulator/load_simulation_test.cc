#include "engine/simulator/load_simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::engine::simulator {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::Le;

double Seconds(double nanoseconds) { return nanoseconds / static_cast<double>(kSecond); }

LoadScenario Scenario(double rate, double requests, std::int64_t batch_size_max,
                      std::function<Nanos(std::int64_t)> service_time) {
  return {
      .policy = {.dynamic = batch_size_max > 1, .batch_size_max = batch_size_max},
      .service_time = [service_time](std::int64_t batch, Random&) { return service_time(batch); },
      .next_arrival = PoissonArrivals(
          rate, static_cast<Nanos>(requests / rate * static_cast<double>(kSecond)), 7)};
}

TEST(SimulateLoad, AnswersAtOnce_WhenRequestsAreFarApart) {
  const LoadFigures figures =
      SimulateLoad(Scenario(1, 50, 1, [](std::int64_t) { return kMillisecond; }));
  EXPECT_EQ(figures.Percentile(50), kMillisecond);
  EXPECT_EQ(figures.latencies.size(), figures.arrived);
}

TEST(SimulateLoad, WaitsAsMD1Says) {
  for (const double load : {0.3, 0.6, 0.8}) {
    const double service = 0.002;
    const LoadFigures figures = SimulateLoad(
        Scenario(load / service, 60'000, 1, [](std::int64_t) { return 2 * kMillisecond; }));
    const double mean = service * (1 + load / (2 * (1 - load)));
    EXPECT_NEAR(Seconds(figures.Mean()) / mean, 1, 0.06) << load;
    EXPECT_NEAR(figures.busy_share, load, 0.02);
  }
}

// Inoue 2019: one server, unlimited batches, s(b) = alpha b + tau.
TEST(SimulateLoad, StaysBelowInouesBound_AndNearIt) {
  struct Case {
    double alpha, tau;
  };
  for (const Case& c : {Case{0.001, 0.004}, Case{0.001, 0.0005}}) {
    for (const double load : {0.2, 0.5, 0.8}) {
      const double rate = load / c.alpha;
      const LoadFigures figures =
          SimulateLoad(Scenario(rate, 200'000, 1'000'000, [c](std::int64_t batch) {
            return static_cast<Nanos>((c.alpha * static_cast<double>(batch) + c.tau) *
                                      static_cast<double>(kSecond));
          }));
      const double bound = 1.5 * c.tau / (1 - load) + c.alpha / 2 * (load + 2) / (1 - load * load);
      EXPECT_THAT(Seconds(figures.Mean()) / bound, AllOf(Ge(0.75), Le(1.02)))
          << c.alpha << " " << c.tau << " " << load;
    }
  }
}

TEST(SimulateLoad, WaitsForCompany_AsLongAsTheDelaySays) {
  LoadScenario scenario = Scenario(10, 100, 8, [](std::int64_t) { return kMillisecond; });
  scenario.policy.queue_delay_max = 5 * kMillisecond;
  const LoadFigures figures = SimulateLoad(scenario);
  EXPECT_EQ(figures.latencies.back(), 6 * kMillisecond);
  EXPECT_GE(figures.batch_mean(), 1);
}

TEST(SimulateLoad, FillsBatchesUnderLoad) {
  const LoadFigures figures =
      SimulateLoad(Scenario(3000, 20'000, 8, [](std::int64_t) { return 2 * kMillisecond; }));
  EXPECT_GT(figures.batch_mean(), 5);
  EXPECT_FALSE(figures.overrun);
}

TEST(SimulateLoad, EndsEarly_WhenTheLoadIsAboveTheCapacity) {
  LoadScenario scenario = Scenario(1000, 1e6, 1, [](std::int64_t) { return 2 * kMillisecond; });
  scenario.backlog_max = 500;
  const LoadFigures figures = SimulateLoad(scenario);
  EXPECT_TRUE(figures.overrun);
  EXPECT_EQ(figures.Percentile(99), kNever);
  EXPECT_LT(figures.arrived, 2000u);
}

TEST(SimulateLoad, CountsWhatTheQueueRefuses) {
  LoadScenario scenario = Scenario(1000, 2000, 1, [](std::int64_t) { return 2 * kMillisecond; });
  scenario.limits.request_count_max = 10;
  const LoadFigures figures = SimulateLoad(scenario);
  EXPECT_GT(figures.refused, 500u);
  EXPECT_EQ(figures.refused + figures.latencies.size(), figures.arrived);
  EXPECT_EQ(figures.Percentile(99), kNever);
  EXPECT_LE(figures.Percentile(10), 24 * kMillisecond);
}

TEST(SimulateLoad, SharesTheWorkAmongInstances) {
  const auto two = [](std::int64_t) { return 2 * kMillisecond; };
  LoadScenario scenario = Scenario(800, 20'000, 1, two);
  scenario.instances = 2;
  const LoadFigures figures = SimulateLoad(scenario);
  EXPECT_FALSE(figures.overrun);
  EXPECT_NEAR(figures.busy_share, 0.8, 0.03);
}

TEST(SimulateLoad, RepeatsItselfExactly) {
  const auto one = [] {
    return SimulateLoad(Scenario(400, 2000, 4, [](std::int64_t) { return 3 * kMillisecond; }));
  };
  EXPECT_EQ(one().latencies, one().latencies);
}

}  // namespace
}  // namespace headrace::engine::simulator
