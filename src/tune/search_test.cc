#include "tune/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tune/testing/synthetic_machine.h"

namespace headrace::tune {
namespace {

using testing::Contains;
using testing::Each;
using testing::Field;
using testing::Ge;
using testing::Gt;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// Enough for these machines, and quick under a sanitizer.
constexpr std::uint64_t kSimulated = 600;

SearchSpace SpaceFor(const MachineSpec& machine, Nanos sla, std::int64_t batch_max,
                     std::vector<Variant> variants = {{.thread_parameter = "threads"}}) {
  return MakeSpace(
      std::move(variants),
      {.batch_max = batch_max, .instances_max = 4, .cores = machine.cores, .sla = sla});
}

struct MachineCase {
  std::string name;
  MachineSpec machine;
  Nanos sla;
  std::int64_t batch_max;
};

class SearchOnMachine : public testing::TestWithParam<MachineCase> {};

// The claim of the tuner: within 5 % of an exhaustive grid in a tenth of its time. The grid gives
// each configuration six probes of ten seconds, as `bench` would. Probes are draws, so that one of
// several searches may miss by a little more.
TEST_P(SearchOnMachine, FindsTheBest_InATenthOfTheGridsTime) {
  const MachineCase& c = GetParam();
  const Target target{.sla = c.sla};
  const SearchSpace space = SpaceFor(c.machine, c.sla, c.batch_max);
  std::vector<double> shares;
  for (const std::uint64_t seed : {1, 1001, 2001, 3001, 4001}) {
    MachineSpec spec = c.machine;
    spec.seed = seed;
    SyntheticMachine machine(spec, target);
    const Nanos tenth = machine.GridTime(space, 6, 10 * kSecond) / 10;
    const SearchReport report = Search(
        space, {.target = target, .budget = tenth, .simulated_requests = kSimulated}, machine);
    ASSERT_TRUE(report.winner);
    const Finding& winner = report.findings[*report.winner];
    const double found = machine.TrueCapacity(winner.configuration);
    shares.push_back(found / machine.BestCapacity(space));
    EXPECT_NEAR(winner.rate() / found, 1, 0.12) << Describe(winner.configuration);
    EXPECT_LE(report.elapsed, tenth + tenth / 20);
    EXPECT_FALSE(report.why.text.empty());
    ASSERT_TRUE(report.gain);
    EXPECT_GT(report.gain->value, 0.9);
  }
  const auto count = static_cast<double>(shares.size());
  EXPECT_GE(std::accumulate(shares.begin(), shares.end(), 0.0) / count, 0.95);
  EXPECT_THAT(shares, Each(Ge(0.9)));
}

INSTANTIATE_TEST_SUITE_P(
    , SearchOnMachine,
    testing::Values(
        MachineCase{"batches_pay", {.tau_ms = 8, .alpha_ms = 1}, 100 * kMillisecond, 32},
        MachineCase{"batches_do_not_pay", {.tau_ms = 0.2, .alpha_ms = 6}, 100 * kMillisecond, 16},
        MachineCase{"threads_pay",
                    {.tau_ms = 20, .alpha_ms = 20, .serial_share = 0.02, .cost_of_others = 0.15},
                    100 * kMillisecond,
                    8},
        MachineCase{"a_cliff",
                    {.tau_ms = 6, .alpha_ms = 1, .cliff_batch = 16, .cliff_factor = 2.2},
                    150 * kMillisecond,
                    32},
        MachineCase{"the_closed_loop_is_too_rosy",
                    {.tau_ms = 6, .alpha_ms = 2, .open_loop_factor = 1.35},
                    80 * kMillisecond,
                    16},
        MachineCase{"the_closed_loop_is_too_slow",
                    {.tau_ms = 6, .alpha_ms = 2, .open_loop_factor = 0.6},
                    80 * kMillisecond,
                    16},
        MachineCase{"instances_hurt",
                    {.tau_ms = 3, .alpha_ms = 3, .cost_of_others = 0.6},
                    60 * kMillisecond,
                    16}),
    [](const auto& one) { return one.param.name; });

TEST(Search, SaysHowClose_WhenNothingMeetsTheSla) {
  const MachineSpec spec{.tau_ms = 300, .alpha_ms = 5, .serial_share = 1};
  const Target target{.sla = 100 * kMillisecond};
  SyntheticMachine machine(spec, target);
  const SearchSpace space = SpaceFor(spec, target.sla, 32);
  const SearchReport report = Search(
      space, {.target = target, .budget = 60 * kSecond, .simulated_requests = kSimulated}, machine);
  EXPECT_FALSE(report.winner);
  EXPECT_GT(report.closest_latency, 300 * kMillisecond);
  EXPECT_LT(report.closest_latency, 340 * kMillisecond);
  EXPECT_THAT(report.advice, Contains(HasSubstr("times the SLA")));
  EXPECT_THAT(report.cuts, Contains(Field(&Cut::rule, CutRule::kSlaAtOne)));
  // Seconds, not a grid: single requests tell it.
  EXPECT_LT(report.elapsed, 20 * kSecond);
  EXPECT_EQ(machine.load_count(), 0);
}

TEST(Search, RulesNoVariantOut_ByOneDisturbedLook) {
  // While the first look at each shape lasts, single requests take longer than the SLA.
  const MachineSpec spec{.tau_ms = 20, .alpha_ms = 2, .disturbed_seconds = 5};
  const Target target{.sla = 100 * kMillisecond};
  SyntheticMachine machine(spec, target);
  const SearchReport report =
      Search(SpaceFor(spec, target.sla, 8),
             {.target = target, .budget = 60 * kSecond, .simulated_requests = kSimulated}, machine);
  EXPECT_TRUE(report.winner);
}

TEST(Search, PrefersTheFasterVariant_UnlessItsAccuracyIsTooLow) {
  const MachineSpec spec{.tau_ms = 8, .alpha_ms = 1, .variant_factors = {{"int8", 0.4}}};
  const Target target{.sla = 100 * kMillisecond};
  const SearchSpace space =
      SpaceFor(spec, target.sla, 8,
               {{.name = "fp32", .thread_parameter = "t"},
                {.name = "int8", .accuracy_drop = 0.01, .thread_parameter = "t"}});
  for (const double allowed : {0.02, 0.005}) {
    SyntheticMachine machine(spec, target);
    const SearchReport report = Search(space,
                                       {.target = target,
                                        .budget = 90 * kSecond,
                                        .accuracy_drop_max = allowed,
                                        .simulated_requests = kSimulated},
                                       machine);
    ASSERT_TRUE(report.winner);
    EXPECT_EQ(report.findings[*report.winner].configuration.variant,
              allowed > 0.01 ? "int8" : "fp32");
    EXPECT_EQ(std::count_if(report.cuts.begin(), report.cuts.end(),
                            [](const Cut& cut) { return cut.rule == CutRule::kAccuracy; }),
              allowed > 0.01 ? 0 : 1);
  }
}

TEST(Search, LooksNoFurtherAtAVariantThatIsFarSlower) {
  const MachineSpec spec{.tau_ms = 8, .alpha_ms = 1, .variant_factors = {{"int8", 0.25}}};
  const Target target{.sla = 100 * kMillisecond};
  SyntheticMachine machine(spec, target);
  const SearchSpace space =
      SpaceFor(spec, target.sla, 16,
               {{.name = "fp32", .thread_parameter = "t"},
                {.name = "int8", .accuracy_drop = 0.01, .thread_parameter = "t"}});
  const SearchReport report = Search(
      space, {.target = target, .budget = 60 * kSecond, .simulated_requests = kSimulated}, machine);
  ASSERT_TRUE(report.winner);
  EXPECT_EQ(report.findings[*report.winner].configuration.variant, "int8");
  EXPECT_THAT(report.cuts, Contains(testing::AllOf(Field(&Cut::rule, CutRule::kCeiling),
                                                   Field(&Cut::what, "fp32"),
                                                   Field(&Cut::reason, HasSubstr("int8")))));
  const ServiceTimes::Column* wide =
      report.times.FindColumn({"fp32", {.instances = 1, .threads = spec.cores}});
  ASSERT_NE(wide, nullptr);
  EXPECT_LE(wide->size(), 2u);
  EXPECT_EQ(report.times.FindColumn({"fp32", {.instances = spec.cores, .threads = 1}}), nullptr);
}

// The budget ends while service times are measured: what is missing then is the slow variant's.
TEST(Search, MeasuresTheLikelyFirst_WhenPointsAreDear) {
  const MachineSpec spec{.cores = 2,
                         .tau_ms = 20,
                         .alpha_ms = 50,
                         .serial_share = 0.4,
                         .variant_factors = {{"fast", 0.5}},
                         .change_seconds = 1.5,
                         .warm_up_executions = 8};
  const Target target{.sla = kSecond};
  const SearchSpace space = SpaceFor(
      spec, target.sla, 32,
      {{.name = "slow", .thread_parameter = "t"}, {.name = "fast", .thread_parameter = "t"}});
  SyntheticMachine machine(spec, target);
  const SearchReport report =
      Search(space, {.target = target, .budget = 100 * kSecond, .simulated_requests = kSimulated},
             machine);
  const Shape full{.instances = 2, .threads = 1};
  EXPECT_NE(report.times.FindColumn({"fast", full}), nullptr);
  EXPECT_EQ(report.times.FindColumn({"slow", {.instances = 4, .threads = 1}}), nullptr);
  ASSERT_TRUE(report.winner);
  EXPECT_EQ(report.findings[*report.winner].configuration.shape, full);
}

TEST(Search, RecordsWhatDoesNotLoad_AndGoesOn) {
  MachineSpec spec{.tau_ms = 8, .alpha_ms = 1};
  spec.broken = [](const Configuration& c) { return c.shape.instances > 1; };
  const Target target{.sla = 100 * kMillisecond};
  SyntheticMachine machine(spec, target);
  const SearchSpace space = SpaceFor(spec, target.sla, 16);
  const SearchReport report = Search(
      space, {.target = target, .budget = 60 * kSecond, .simulated_requests = kSimulated}, machine);
  ASSERT_TRUE(report.winner);
  EXPECT_EQ(report.findings[*report.winner].configuration.shape.instances, 1);
  EXPECT_THAT(report.cuts, Contains(Field(&Cut::reason, HasSubstr("does not load"))));
}

TEST(Search, TakesTheFewestCores_WhenCostCounts) {
  const MachineSpec spec{.tau_ms = 8, .alpha_ms = 1};
  const Target target{.sla = 100 * kMillisecond};
  SyntheticMachine machine(spec, target);
  const SearchSpace space = SpaceFor(spec, target.sla, 16);
  const SearchReport report = Search(space,
                                     {.target = target,
                                      .budget = 120 * kSecond,
                                      .objective = Objective::kCost,
                                      .rate_wanted = 200,
                                      .simulated_requests = kSimulated},
                                     machine);
  ASSERT_TRUE(report.winner);
  const Finding& winner = report.findings[*report.winner];
  EXPECT_EQ(winner.cores(), 1);
  EXPECT_GE(winner.rate(), 200);
}

TEST(Search, KeepsWhatIsKnown_WhenStopped) {
  const MachineSpec spec{.tau_ms = 8, .alpha_ms = 1};
  const Target target{.sla = 100 * kMillisecond};
  SyntheticMachine machine(spec, target);
  machine.StopAt(60 * kSecond);
  const SearchSpace space = SpaceFor(spec, target.sla, 16);
  const SearchReport report =
      Search(space, {.target = target, .budget = 120 * kSecond, .simulated_requests = kSimulated},
             machine);
  EXPECT_TRUE(report.interrupted);
  EXPECT_TRUE(report.winner);
  EXPECT_THAT(report.findings, Contains(Field(&Finding::rungs, Gt(0))));
  EXPECT_LT(report.elapsed, 70 * kSecond);
}

TEST(Search, KeepsTheBudget_WhenChangesAreSlow) {
  const MachineSpec spec{.tau_ms = 8, .alpha_ms = 1, .change_seconds = 3};
  const Target target{.sla = 100 * kMillisecond};
  SyntheticMachine machine(spec, target);
  const SearchSpace space = SpaceFor(spec, target.sla, 32);
  const SearchReport report = Search(
      space, {.target = target, .budget = 60 * kSecond, .simulated_requests = kSimulated}, machine);
  EXPECT_LE(report.elapsed, 75 * kSecond);
  EXPECT_TRUE(report.winner);
  EXPECT_THAT(report.notes, Not(IsEmpty()));
}

TEST(Search, TellsEachStep) {
  const MachineSpec spec{.tau_ms = 8, .alpha_ms = 1};
  const Target target{.sla = 100 * kMillisecond};
  SyntheticMachine machine(spec, target);
  std::vector<std::string> steps;
  Search(SpaceFor(spec, target.sla, 8),
         {.target = target, .budget = 60 * kSecond, .simulated_requests = kSimulated}, machine,
         [&](const SearchEvent& event) {
           if (steps.empty() || steps.back() != event.step) {
             steps.emplace_back(event.step);
           }
         });
  EXPECT_THAT(steps, testing::ElementsAre("service times", "prune", "simulate", "halving",
                                          "capacity", "confirm"));
}

}  // namespace
}  // namespace headrace::tune
