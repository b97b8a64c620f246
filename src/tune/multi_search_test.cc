#include "tune/multi_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tune/testing/synthetic_machine.h"

namespace headrace::tune {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::uint64_t kSimulated = 500;

// Models with cores of their own do not disturb one another; where they would, nothing is in time.
class SeparateMachines final : public MultiProber {
 public:
  SeparateMachines(const std::vector<MachineSpec>& specs, const std::vector<MultiModel>& models) {
    double sum = 0;
    for (const MultiModel& model : models) {
      sum += model.share;
    }
    for (std::size_t i = 0; i < specs.size(); ++i) {
      machines_.push_back(std::make_unique<SyntheticMachine>(specs[i], models[i].target));
      parts_.push_back(models[i].share / sum);
    }
  }

  Nanos Now() override {
    Nanos now = mixed_;
    for (const auto& machine : machines_) {
      now += machine->Now();
    }
    return now;
  }
  bool Stopped() override { return false; }
  std::size_t size() const override { return machines_.size(); }
  Prober& model(std::size_t index) override { return *machines_[index]; }

  Result<MixSample> Mix(const std::vector<Configuration>& configurations, double rate,
                        Nanos duration) override {
    const Nanos end = Now() + duration;
    MixSample sample;
    int cores = 0;
    for (std::size_t i = 0; i < machines_.size(); ++i) {
      HEADRACE_ASSIGN_OR_RETURN(LoadSample one,
                                machines_[i]->Load(configurations[i], parts_[i] * rate, duration));
      cores += configurations[i].shape.cores();
      sample.push_back(one);
    }
    for (LoadSample& one : sample) {
      one.backlog = one.backlog || cores > machines_.front()->spec().cores;
    }
    mixed_ += end - Now();  // they ran at the same time
    return sample;
  }

 private:
  std::vector<std::unique_ptr<SyntheticMachine>> machines_;
  std::vector<double> parts_;
  Nanos mixed_ = 0;
};

std::vector<MultiModel> Models(const std::vector<MachineSpec>& specs, std::vector<Nanos> slas,
                               std::vector<double> shares) {
  std::vector<MultiModel> models;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    models.push_back(
        {.name = std::string(1, static_cast<char>('A' + i)),
         .target = {.sla = slas[i]},
         .share = shares[i],
         .space = MakeSpace(
             {{.thread_parameter = "threads"}},
             {.batch_max = 8, .instances_max = 4, .cores = specs[i].cores, .sla = slas[i]})});
  }
  return models;
}

TEST(SearchSeveral, DividesTheCoresByShares_AndConfirms) {
  // No batching to speak of, so that cores are what counts.
  const MachineSpec spec{
      .cores = 4, .tau_ms = 0.2, .alpha_ms = 10, .serial_share = 1, .cost_of_others = 0};
  const auto models = Models({spec, spec}, {200 * kMillisecond, 400 * kMillisecond}, {3.0, 1.0});
  SeparateMachines machines({spec, spec}, models);
  const MultiReport report = SearchSeveral(
      models, {.budget = 300 * kSecond, .cores = 4, .simulated_requests = kSimulated}, machines);
  ASSERT_TRUE(report.met);
  const MeasuredDivision& winner = report.divisions.front();
  EXPECT_EQ(winner.division.configurations[0].shape.cores(), 3);
  EXPECT_EQ(winner.division.configurations[1].shape.cores(), 1);
  // One core serves nearly 100/s, A has three quarters of the requests and three cores.
  EXPECT_GT(winner.rate, 300);
  EXPECT_LT(winner.rate, 400);
  ASSERT_TRUE(winner.confirmed);
  ASSERT_TRUE(report.gain);  // one instance of each was found
  EXPECT_GT(report.gain->value, 1.5);
  EXPECT_LE(report.elapsed, 315 * kSecond);
  EXPECT_THAT(report.models[0].latencies, SizeIs(testing::Ge(5u)));
}

TEST(SearchSeveral, SaysWhichModelCannotMeetItsSla) {
  const MachineSpec fast{.tau_ms = 2, .alpha_ms = 2}, slow{.tau_ms = 500, .alpha_ms = 10};
  const auto models = Models({fast, slow}, {100 * kMillisecond, 100 * kMillisecond}, {1.0, 1.0});
  SeparateMachines machines({fast, slow}, models);
  const MultiReport report = SearchSeveral(
      models, {.budget = 60 * kSecond, .cores = 4, .simulated_requests = kSimulated}, machines);
  EXPECT_FALSE(report.met);
  EXPECT_THAT(report.notes, Contains(HasSubstr("B: no configuration meets p99")));
}

TEST(SearchSeveral, NamesTheModelThatDoesNotLoad) {
  const MachineSpec good{.tau_ms = 2, .alpha_ms = 2};
  MachineSpec broken = good;
  broken.broken = [](const Configuration&) { return true; };
  const auto models = Models({good, broken}, {100 * kMillisecond, 100 * kMillisecond}, {1.0, 1.0});
  SeparateMachines machines({good, broken}, models);
  const MultiReport report = SearchSeveral(
      models, {.budget = 60 * kSecond, .cores = 4, .simulated_requests = kSimulated}, machines);
  EXPECT_FALSE(report.met);
  EXPECT_THAT(report.models[1].cuts,
              Contains(testing::Field(&Cut::reason, HasSubstr("does not load"))));
}

}  // namespace
}  // namespace headrace::tune
