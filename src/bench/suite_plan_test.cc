#include "bench/suite_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "bench/suite_run.h"
#include "bench/suite_state.h"

namespace headrace::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SuiteSpec Spec() {
  SuiteSpec spec;
  spec.file = "suite.yaml";
  SuiteModel model;
  model.name = model.model = "m";
  model.max_batch_sizes = {1, 8};
  model.instances = {1, 2};
  model.repeat = 2;
  model.duration = kSecond;
  model.warmup_max = 0;
  load::ArrivalSpec closed;
  closed.kind = load::ArrivalSpec::Kind::kClosed;
  model.loads = {closed};
  load::ArrivalSpec open;
  open.rate = 50;
  open.seed = 10;
  model.loads.push_back(open);
  spec.models = {model};
  return spec;
}

TEST(SuitePlanTest, PointsOfAConfigurationLieTogether_AndInstancesChangeFirst) {
  const auto plan = PlanSuite(Spec());
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->size(), 16u);
  EXPECT_EQ(ConfigurationCount(*plan), 4u);
  std::set<std::string> keys;
  for (std::size_t i = 0; i < plan->size(); ++i) {
    EXPECT_EQ((*plan)[i].configuration, i / 4);
    keys.insert((*plan)[i].key);
  }
  EXPECT_EQ(keys.size(), 16u);
  EXPECT_EQ((*plan)[0].change.instance_count, 1);
  EXPECT_EQ((*plan)[4].change.instance_count, 2);
  EXPECT_EQ((*plan)[4].change.max_batch_size, 1);
  EXPECT_EQ((*plan)[8].change.max_batch_size, 8);
  // Rounds take turns within a configuration, each with other arrivals.
  EXPECT_EQ((*plan)[1].round, 1);
  EXPECT_EQ((*plan)[2].round, 2);
  EXPECT_EQ((*plan)[1].level.arrivals.seed, 10u);
  EXPECT_EQ((*plan)[3].level.arrivals.seed, 11u);
  EXPECT_EQ((*plan)[3].level.labels.at("round"), "2");
  EXPECT_EQ((*plan)[3].name, "m, instances 1, max batch 1 | poisson 50/s | round 2 of 2");
}

TEST(SuitePlanTest, Keys_ChangeWithWhatIsMeasuredAndWithNothingElse) {
  SuiteSpec spec = Spec();
  const std::string key = PlanSuite(spec)->front().key;
  spec.name = "other";
  spec.models[0].max_batch_sizes.push_back(16);
  EXPECT_EQ(PlanSuite(spec)->front().key, key);
  spec.models[0].duration = 2 * kSecond;
  EXPECT_NE(PlanSuite(spec)->front().key, key);
}

TEST(SuitePlanTest, TooManyPointsAreRefused) {
  SuiteSpec spec = Spec();
  spec.models[0].repeat = 5000;
  EXPECT_THAT(PlanSuite(spec).status().message(), HasSubstr("take values out of model 'm'"));
}

TEST(SuitePlanTest, EstimatedTime_GoesByCountWhereThatIsSooner) {
  SuitePoint point = PlanSuite(Spec())->front();
  const Nanos by_time = EstimatedTime(point, 0);
  EXPECT_EQ(by_time, kSecond + 200 * kMillisecond);
  point.level.stop.request_count = 50;
  EXPECT_EQ(EstimatedTime(point, 100), 700 * kMillisecond);
  EXPECT_EQ(EstimatedTime(point, 1), by_time);
  const auto plan = PlanSuite(Spec());
  EXPECT_EQ(EstimatedTime(*plan, 0, 0, kSecond), 16 * by_time + 4 * kSecond);
}

class SuiteRunTest : public ::testing::Test {
 protected:
  SuiteRunTest() : path_(::testing::TempDir() + "/suite_state_" + std::to_string(getpid())) {
    ::unlink(path_.c_str());
  }
  ~SuiteRunTest() override { ::unlink(path_.c_str()); }

  std::unique_ptr<SuiteState> Open(const std::vector<SuitePoint>& plan) {
    auto state = SuiteState::Open(path_, plan, false);
    EXPECT_TRUE(state.ok()) << state.status().ToString();
    return state.ok() ? std::move(*state) : nullptr;
  }

  std::string path_;
};

class FakeTarget final : public SuiteTarget {
 public:
  Status Apply(const SuitePoint& point) override {
    applied.push_back(point.configuration);
    return point.configuration == broken_configuration ? Unavailable("no such batch") : OkStatus();
  }
  Result<PointResult> Measure(const SuitePoint& point,
                              const std::function<void(const Progress&)>& progress) override {
    progress(Progress{Progress::Phase::kMeasure});
    measured.push_back(point.name);
    if (stop != nullptr && measured.size() == stop_after) {
      *stop = true;
    }
    PointResult result;
    result.level.spec = point.level;
    result.level.throughput = 42;
    result.columns["Queue time p99"] = 1.5;
    return result;
  }
  Status Restore() override {
    ++restored;
    return OkStatus();
  }
  SuiteTargetFacts Facts() override { return {}; }

  std::size_t broken_configuration = 99, stop_after = 0;
  std::atomic<bool>* stop = nullptr;
  std::vector<std::size_t> applied;
  std::vector<std::string> measured;
  int restored = 0;
};

TEST_F(SuiteRunTest, EachConfigurationIsAppliedOnce_AndAFailureLeavesTheOthers) {
  const SuiteSpec spec = Spec();
  const auto plan = *PlanSuite(spec);
  FakeTarget target;
  target.broken_configuration = 1;
  auto state = Open(plan);
  std::size_t told = 0;
  SuiteRunOptions options;
  options.on_point = [&](const SuitePoint&, const PointResult&) { ++told; };
  const auto outcome = RunSuite(spec, plan, target, *state, options);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->measured, 12u);
  EXPECT_EQ(outcome->failed, 4u);
  EXPECT_EQ(told, 16u);
  EXPECT_EQ(target.restored, 1);
  EXPECT_THAT(state->Find(plan[4].key)->failure.message(), HasSubstr("no such batch"));
  EXPECT_EQ(state->Find(plan[15].key)->level.throughput, 42);
}

TEST_F(SuiteRunTest, ARunThatWasCutGoesOn_AndFailuresAreTriedAgain) {
  const SuiteSpec spec = Spec();
  const auto plan = *PlanSuite(spec);
  std::atomic<bool> stop{false};
  {
    FakeTarget target;
    target.stop = &stop;
    target.stop_after = 6;
    SuiteRunOptions options;
    options.stop = &stop;
    auto state = Open(plan);
    const auto outcome = RunSuite(spec, plan, target, *state, options);
    ASSERT_TRUE(outcome.ok());
    EXPECT_TRUE(outcome->interrupted);
    EXPECT_EQ(outcome->measured, 5u);  // the sixth was cut
    EXPECT_EQ(target.restored, 1);
  }
  std::ofstream(path_, std::ios::app) << R"({"point":"cut in the mid)";
  FakeTarget target;
  auto state = Open(plan);
  EXPECT_EQ(state->done_count(), 5u);
  EXPECT_EQ(state->Find(plan[0].key)->columns.at("Queue time p99"), 1.5);
  const auto outcome = RunSuite(spec, plan, target, *state, {});
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->resumed, 5u);
  EXPECT_EQ(outcome->measured, 11u);
  EXPECT_EQ(Open(plan)->done_count(), 16u);
}

TEST_F(SuiteRunTest, AChangedSuiteIsSeen_AndOtherFilesAreLeftAlone) {
  SuiteSpec spec = Spec();
  const auto plan = *PlanSuite(spec);
  FakeTarget target;
  auto first = Open(plan);
  ASSERT_TRUE(RunSuite(spec, plan, target, *first, {}).ok());
  spec.models[0].max_batch_sizes = {1};
  auto state = Open(*PlanSuite(spec));
  EXPECT_EQ(state->done_count(), 8u);
  EXPECT_EQ(state->foreign_count(), 8u);
  for (const char* text : {"my notes", "my notes\nmore\n", "{}\n"}) {
    std::ofstream(path_, std::ios::trunc) << text;
    const auto refused = SuiteState::Open(path_, plan, false);
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.status().message(), HasSubstr("is no state of a suite"));
    std::string kept;
    std::getline(std::ifstream(path_), kept);
    EXPECT_THAT(text, HasSubstr(kept));
    EXPECT_FALSE(kept.empty());
  }
}

}  // namespace
}  // namespace headrace::bench
