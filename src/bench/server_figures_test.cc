#include "bench/server_figures.h"

#include <gtest/gtest.h>

#include "bench/bench_test_support.h"
#include "bench/gauge_sampler.h"

namespace headrace::bench {
namespace {

// An ensemble "m" of "a" and "b"; "b" is one of "c".
class Ensembles final : public load::ServerControl {
 public:
  Result<load::ServerFacts> Server() override { return load::ServerFacts(); }
  Result<bool> ModelReady(const std::string&, const std::string&) override { return true; }
  Result<load::ModelFacts> Model(const std::string& model, const std::string&) override {
    load::ModelFacts facts;
    facts.name = model;
    if (model == "m") {
      facts.composing_models = {"a", "b"};
    } else if (model == "b") {
      facts.composing_models = {"c", "a"};
    }
    return facts;
  }
  Result<std::map<std::string, std::vector<load::ModelStatistics>>> Statistics(
      const std::string& model) override {
    if (model == "c") {
      return Unavailable("no answer");
    }
    std::map<std::string, std::vector<load::ModelStatistics>> all;
    for (const char* version : {"1", "2"}) {
      load::ModelStatistics& one = all[model].emplace_back();
      one.version = version;
      one.inference_count = 10 * ++calls;
    }
    return all;
  }
  Result<std::vector<load::ModelState>> Index() override { return std::vector<load::ModelState>(); }
  Status Load(const std::string&, const std::string&) override { return OkStatus(); }
  Status Unload(const std::string&) override { return OkStatus(); }
  Result<std::string> Metrics() override { return FailedPrecondition("none"); }

  std::uint64_t calls = 0;
};

TEST(ServerFiguresTest, Read_AsksForTheModelsThatAnEnsembleIsMadeOf) {
  Ensembles control;
  StatisticsReader reader(&control, testing::OneItem());
  const StatisticsByModel read = reader.Read();
  EXPECT_EQ(read.size(), 3u);  // "c" does not answer
  EXPECT_TRUE(read.contains("a") && read.contains("b") && read.contains("m"));
}

TEST(ServerFiguresTest, Read_TakesTheVersionOfTheWorkload) {
  Ensembles control;
  load::Workload workload = testing::OneItem();
  workload.items[0].model = "x";
  StatisticsReader all(&control, workload);
  EXPECT_EQ(all.Read().at("x").inference_count, 30u);  // 10 and 20
  control.calls = 0;
  workload.items[0].version = "2";
  StatisticsReader one(&control, workload);
  EXPECT_EQ(one.Read().at("x").inference_count, 20u);
}

TEST(ServerFiguresTest, Difference_HasTheMeansOfWhatWasServedBetween) {
  StatisticsByModel before;
  StatisticsByModel after;
  load::ModelStatistics& a = before["m"];
  a.success_count = 100;
  a.success_ns = 1'000'000;
  a.queue_count = 100;
  a.queue_ns = 5'000;
  a.batches = {{1, 100}};
  load::ModelStatistics b = a;
  b.inference_count = 400;
  b.execution_count = 100;
  b.success_count = 300;
  b.success_ns = 5'000'000;
  b.queue_count = 300;
  b.queue_ns = 25'000;
  b.batches = {{1, 100}, {4, 100}};
  after["m"] = b;
  after["new"] = b;
  const auto figures = Difference(before, after);
  ASSERT_EQ(figures.size(), 1u);
  const ServerFigures& m = figures.at("m");
  EXPECT_EQ(m.success_count, 200u);
  EXPECT_DOUBLE_EQ(m.request_mean, 20'000);
  EXPECT_DOUBLE_EQ(m.queue_mean, 100);
  EXPECT_EQ(m.batches.size(), 1u);
  EXPECT_EQ(m.batch_mean(), 4);
}

// A model that was reloaded meanwhile counts from zero.
TEST(ServerFiguresTest, Difference_OfCountersThatBeganAnew_IsWhatTheyHave) {
  StatisticsByModel before;
  StatisticsByModel after;
  before["m"].success_count = 1000;
  after["m"].success_count = 10;
  EXPECT_EQ(Difference(before, after).at("m").success_count, 10u);
}

TEST(GaugeSamplerTest, AddPage_KeepsMeanAndMaximumOfTheGaugesThatMatter) {
  Gauges gauges;
  AddPage(
      "# TYPE nv_gpu_utilization gauge\nnv_gpu_utilization{gpu_uuid=\"G\"} 0.5\n"
      "# TYPE nv_inference_count counter\nnv_inference_count 7\n"
      "# TYPE process_open_fds gauge\nprocess_open_fds 7\n",
      gauges);
  AddPage("# TYPE nv_gpu_utilization gauge\nnv_gpu_utilization{gpu_uuid=\"G\"} 0.1\n", gauges);
  AddPage("no page", gauges);
  ASSERT_EQ(gauges.size(), 1u);
  const GaugeFigures& gauge = gauges.at("nv_gpu_utilization{gpu_uuid=\"G\"}");
  EXPECT_DOUBLE_EQ(gauge.mean, 0.3);
  EXPECT_DOUBLE_EQ(gauge.max, 0.5);
  EXPECT_DOUBLE_EQ(gauge.last, 0.1);
}

}  // namespace
}  // namespace headrace::bench
