// The online mode against the real queue, policy and dispatcher, on a virtual clock.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/simulator/load_simulation.h"
#include "scaling/load_window.h"
#include "scaling/online_model.h"
#include "scaling/scaling_policy.h"

namespace headrace::scaling {
namespace {

using engine::simulator::LoadLook;
using engine::simulator::LoadScenario;
using engine::simulator::LoadSetting;
using engine::simulator::Random;

struct Phase {
  Nanos duration;
  double rate;  // requests per second; 0: none come
};

struct Change {
  Nanos at;
  LoadSetting setting;
};

class OnlineSimulation {
 public:
  engine::OnlineOptions options{.sla = 100 * kMillisecond,
                                .percentile = 99,
                                .queue_delay_min = 0,
                                .queue_delay_max = 0,
                                .instance_count_min = 1,
                                .instance_count_max = 4,
                                .window = kSecond,
                                .shrink_after = 20 * kSecond};
  LoadSetting setting{.queue_delay = 0, .instances = 1};
  std::int64_t batch_size_max = 8;
  Nanos fixed = 20 * kMillisecond, each = 2 * kMillisecond;  // of an execution
  std::uint64_t seed = 1;

  void Run(std::vector<Phase> phases) {
    ScalingPolicy by_load(LoadPolicyOf(options));
    OnlineModel online(options);
    LoadWindowReader reader(options.sla, options.percentile);
    LoadScenario scenario;
    scenario.policy = {.dynamic = batch_size_max > 1,
                       .batch_size_max = batch_size_max,
                       .queue_delay_max = setting.queue_delay};
    scenario.instances = setting.instances;
    scenario.instances_max = static_cast<int>(options.instance_count_max);
    scenario.seed = seed;
    scenario.service_time = [this](std::int64_t size, Random& random) {
      const double time = static_cast<double>(fixed + size * each);
      return static_cast<Nanos>(time * (0.95 + 0.1 * random.Unit()));
    };
    scenario.next_arrival = Arrivals(phases);
    std::vector<Nanos> ends;
    for (const Phase& phase : phases) {
      ends.push_back((ends.empty() ? 0 : ends.back()) + phase.duration);
    }
    std::size_t settled = 0;  // phases whose second half is measured
    bool begun = false;
    scenario.control = [&](const LoadLook& look) {
      // The second half of each phase: how it goes once the change is over.
      if (settled < ends.size()) {
        const Nanos half = ends[settled] - phases[settled].duration / 2;
        if (!begun && look.now >= half) {
          reader.Begin(look.now, look.statistics);
          begun = true;
        } else if (begun && look.now >= ends[settled] - kSecond) {
          windows.push_back(reader.Read(look.now, look.statistics));
          settings.push_back(look.setting);
          ++settled;
          begun = false;
        }
      }
      return Decide(look, by_load, online);
    };
    figures = SimulateLoad(scenario);
    beyond_bounds = online.beyond_bounds();
  }

  // Of the second half of each phase.
  std::vector<LoadWindow> windows;
  std::vector<LoadSetting> settings;  // at its end
  std::vector<Change> changes;
  std::vector<std::string> reasons;
  bool beyond_bounds = false;
  engine::simulator::LoadFigures figures;

  double LateShare(std::size_t phase) const {
    const LoadWindow& window = windows.at(phase);
    return window.requests == 0
               ? 0
               : static_cast<double>(window.late) / static_cast<double>(window.requests);
  }
  std::size_t ChangesBetween(Nanos from, Nanos to) const {
    return static_cast<std::size_t>(
        std::count_if(changes.begin(), changes.end(),
                      [&](const Change& change) { return change.at >= from && change.at < to; }));
  }
  std::string Story() const {
    std::string story;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      story +=
          fmt::format("{:.2f} s: {:.2f} ms, {} ({})\n", static_cast<double>(changes[i].at) / 1e9,
                      static_cast<double>(changes[i].setting.queue_delay) / 1e6,
                      changes[i].setting.instances, reasons[i]);
    }
    return story;
  }

 private:
  std::function<Nanos()> Arrivals(std::vector<Phase> phases) {
    return [random = Random(seed), phases = std::move(phases), phase = std::size_t{0}, begin = 0.0,
            time = 0.0]() mutable -> Nanos {
      while (phase < phases.size()) {
        const double end = begin + static_cast<double>(phases[phase].duration);
        if (phases[phase].rate > 0) {
          time += random.Exponential() / phases[phase].rate * 1e9;
          if (time < end) {
            return static_cast<Nanos>(time);
          }
        }
        begin = time = end;
        ++phase;
        if (phase < phases.size() && phases[phase].rate == 0) {
          return static_cast<Nanos>(time);  // keeps the simulation going
        }
      }
      return kNever;
    };
  }

  // As the autoscaler does it.
  LoadSetting Decide(const LoadLook& look, ScalingPolicy& by_load, OnlineModel& online) {
    const engine::StatisticsSnapshot statistics = look.statistics.Read();
    ScalingView view;
    view.worker_count = look.setting.instances;
    view.worker_count_min = options.instance_count_min;
    view.worker_count_max = options.instance_count_max;
    view.batch_size = batch_size_max;
    view.queue_depth = static_cast<std::int64_t>(look.queue_depth);
    view.executing = static_cast<std::int64_t>(look.executing);
    view.received = statistics.received;
    view.completed = look.statistics.duration_histogram().count();
    const OnlineDecision decision = online.Look(look.now,
                                                {.queue_delay = look.setting.queue_delay,
                                                 .instance_count = look.setting.instances,
                                                 .batch_size_max = batch_size_max},
                                                by_load.Look(look.now, view), look.statistics);
    LoadSetting wanted{.queue_delay = decision.queue_delay,
                       .instances = static_cast<int>(decision.instances.worker_count)};
    const bool delay = wanted.queue_delay != look.setting.queue_delay;
    const bool instances = wanted.instances != look.setting.instances;
    if (instances) {
      by_load.Changed(look.now, wanted.instances > look.setting.instances ? 50 * kMillisecond : 0);
    }
    if (delay || instances) {
      changes.push_back({look.now, wanted});
      reasons.emplace_back(delay ? DelayReasonText(decision.delay_reason)
                                 : ScalingReasonText(decision.instances.reason));
    }
    EXPECT_GE(wanted.queue_delay, options.queue_delay_min);
    EXPECT_LE(wanted.queue_delay, options.queue_delay_max);
    EXPECT_GE(wanted.instances, options.instance_count_min);
    EXPECT_LE(wanted.instances, options.instance_count_max);
    return wanted;
  }
};

// One instance serves at most 8 in 36 ms: 222 in a second.
TEST(OnlineSimulationTest, InstancesFollowAStepUp_AndAStepDown) {
  OnlineSimulation model;
  model.Run({{60 * kSecond, 20}, {120 * kSecond, 400}, {300 * kSecond, 20}});
  SCOPED_TRACE(model.Story());
  EXPECT_EQ(model.settings.at(0).instances, 1);
  EXPECT_GE(model.settings.at(1).instances, 2);
  EXPECT_EQ(model.settings.at(2).instances, 1);
  for (std::size_t phase = 0; phase < 3; ++phase) {
    EXPECT_LE(model.LateShare(phase), 0.01) << phase;
  }
  EXPECT_EQ(model.ChangesBetween(0, 60 * kSecond), 0u);
  EXPECT_LE(model.changes.size(), 8u);
  EXPECT_FALSE(model.beyond_bounds);
  EXPECT_EQ(model.figures.refused, 0u);
  EXPECT_EQ(model.figures.latencies.size(), model.figures.arrived);
}

TEST(OnlineSimulationTest, ABurstChangesLittle) {
  OnlineSimulation model;
  model.Run({{60 * kSecond, 20}, {kSecond, 300}, {120 * kSecond, 20}});
  SCOPED_TRACE(model.Story());
  EXPECT_LE(model.changes.size(), 4u);
  EXPECT_EQ(model.settings.at(2).instances, 1);
}

TEST(OnlineSimulationTest, ALoadThatSwingsDoesNotMakeItSwing) {
  OnlineSimulation model;
  std::vector<Phase> phases;
  for (int i = 0; i < 20; ++i) {
    phases.push_back({20 * kSecond, 400});
    phases.push_back({25 * kSecond, 20});
  }
  model.Run(phases);
  SCOPED_TRACE(model.Story());
  // Waits twice as long after each shrink that was taken back.
  EXPECT_LE(model.ChangesBetween(0, 450 * kSecond), 24u);
  EXPECT_LE(model.ChangesBetween(450 * kSecond, 900 * kSecond), 12u);
}

TEST(OnlineSimulationTest, WithoutTrafficItHasTheLeast_AndRests) {
  OnlineSimulation model;
  model.options.queue_delay_max = 20 * kMillisecond;
  model.setting = {.queue_delay = 20 * kMillisecond, .instances = 3};
  model.Run({{10 * kSecond, 300}, {600 * kSecond, 0}, {10 * kSecond, 10}});
  SCOPED_TRACE(model.Story());
  EXPECT_EQ(model.settings.at(1).instances, 1);
  EXPECT_EQ(model.settings.at(1).queue_delay, 0);
  EXPECT_EQ(model.ChangesBetween(200 * kSecond, 610 * kSecond), 0u);
}

TEST(OnlineSimulationTest, AnSlaThatNothingMeets_EndsAtTheBestBounds_AndSaysSo) {
  OnlineSimulation model;
  model.options.sla = 15 * kMillisecond;  // an execution takes 22 ms
  model.options.queue_delay_max = 10 * kMillisecond;
  model.setting.queue_delay = 10 * kMillisecond;
  model.Run({{300 * kSecond, 50}});
  SCOPED_TRACE(model.Story());
  EXPECT_TRUE(model.beyond_bounds);
  EXPECT_EQ(model.settings.at(0).instances, 4);
  EXPECT_EQ(model.settings.at(0).queue_delay, 0);
  EXPECT_EQ(model.ChangesBetween(100 * kSecond, 300 * kSecond), 0u);
}

// 100 requests a second, each execution 30 ms whatever its batch.
TEST(OnlineSimulationTest, TheDelayGrows_WhereBatchesSaveWork) {
  OnlineSimulation model;
  model.options.sla = 300 * kMillisecond;
  model.options.queue_delay_max = 80 * kMillisecond;
  model.options.instance_count_max = 1;
  model.fixed = 30 * kMillisecond;
  model.each = 0;
  model.Run({{30 * kSecond, 1}, {300 * kSecond, 100}});
  SCOPED_TRACE(model.Story());
  EXPECT_EQ(model.settings.at(0).queue_delay, 0);
  EXPECT_GE(model.settings.at(1).queue_delay, 20 * kMillisecond);
  EXPECT_LE(model.LateShare(1), 0.01);
  EXPECT_LE(model.windows.at(1).busy, 0.8);
  EXPECT_LE(model.ChangesBetween(200 * kSecond, 330 * kSecond), 1u);
}

TEST(OnlineSimulationTest, TheDelayShrinks_WhereItIsWhatMakesThemLate) {
  OnlineSimulation model;
  model.options.sla = 60 * kMillisecond;
  model.options.queue_delay_max = 50 * kMillisecond;
  model.setting.queue_delay = 50 * kMillisecond;
  model.Run({{600 * kSecond, 60}});
  SCOPED_TRACE(model.Story());
  EXPECT_LE(model.settings.at(0).queue_delay, 25 * kMillisecond);
  EXPECT_LE(model.LateShare(0), 0.02);
  EXPECT_EQ(model.settings.at(0).instances, 1);
  EXPECT_LE(model.changes.size(), 12u);
}

TEST(OnlineSimulationTest, StaysWithinItsBounds_WhateverComes) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    OnlineSimulation model;
    Random random(seed);
    model.seed = seed;
    model.options.sla = static_cast<Nanos>((0.02 + 0.3 * random.Unit()) * 1e9);
    model.options.queue_delay_max = model.options.sla / 3;
    model.options.instance_count_min = 1 + static_cast<std::int64_t>(seed % 2);
    model.setting = {.queue_delay = model.options.sla / 4, .instances = 2};
    std::vector<Phase> phases;
    for (int i = 0; i < 6; ++i) {
      phases.push_back({20 * kSecond, 400 * random.Unit()});
    }
    model.Run(phases);
    SCOPED_TRACE(fmt::format("seed {}\n{}", seed, model.Story()));
    EXPECT_EQ(model.figures.refused, 0u);
    EXPECT_EQ(model.figures.latencies.size(), model.figures.arrived);  // nothing is lost
    // At most one change of a kind in a window.
    for (std::size_t i = 2; i < model.changes.size(); ++i) {
      EXPECT_GE(model.changes[i].at - model.changes[i - 2].at, model.options.window);
    }
  }
}

}  // namespace
}  // namespace headrace::scaling
