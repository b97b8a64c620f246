#include "tune/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/json_value.h"
#include "tune/bootstrap.h"
#include "tune/report_text.h"
#include "tune/repository_variants.h"
#include "tune/tune_options.h"

namespace headrace::tune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Finding Found(int instances, double rate, double drop = 0) {
  Finding finding;
  finding.configuration.shape = {instances, 1};
  finding.estimate.value = finding.estimate.low = finding.estimate.high = rate;
  finding.rungs = 1;
  finding.stage = Stage::kProbed;
  finding.accuracy_drop = drop;
  return finding;
}

SearchReport Report() {
  SearchReport report;
  report.model = "m<1>";
  report.findings = {Found(4, 400), Found(2, 300), Found(3, 290), Found(4, 500, 0.01)};
  report.cuts = {{CutRule::kSlaOfBatch, "batch 8 & more", "too slow", 3}};
  return report;
}

TEST(ParetoSet, LeavesOutWhatAnotherBeatsInEverything) {
  EXPECT_THAT(ParetoSet(Report().findings), ElementsAre(3, 0, 1));
}

TEST(Score, CountsCores_WhenCostCounts) {
  const Finding small = Found(2, 300), large = Found(4, 500), slow = Found(1, 90);
  EXPECT_GT(Score(large, Objective::kThroughput, 0), Score(small, Objective::kThroughput, 0));
  EXPECT_GT(Score(small, Objective::kCost, 250), Score(large, Objective::kCost, 250));
  EXPECT_GT(Score(large, Objective::kCost, 250), Score(slow, Objective::kCost, 250));
}

TEST(Bootstrap, HasTheMedianInItsInterval) {
  const std::vector<double> a = {9, 10, 11, 10, 10.5, 9.5}, b = {5, 5.1, 4.9, 5, 5, 5};
  const bench::Estimate median = BootstrapMedian(a, 1);
  EXPECT_DOUBLE_EQ(median.value, 10);
  EXPECT_LE(median.low, 10);
  EXPECT_GE(median.high, 10);
  const bench::Estimate ratio = BootstrapRatio(a, b, 1);
  EXPECT_NEAR(ratio.value, 2, 0.01);
  EXPECT_GT(ratio.low, 1.5);
}

TEST(ReportText, SaysAnswerReasonAndCuts) {
  SearchReport report = Report();
  report.winner = 0;
  report.why = {Binds::kCompute, "compute: busy"};
  EXPECT_THAT(ReportText(report),
              AllOf(HasSubstr("4 instances x 1 thread, no batching: 400/s within p99 <= 100 ms"),
                    HasSubstr("what binds: compute"), HasSubstr("batch 8 & more: too slow")));
  EXPECT_THAT(ReportText(report), Not(HasSubstr("keep it")));
  report.gain = bench::Estimate{.value = 0.8, .low = 0.5, .high = 1.1};
  EXPECT_THAT(ReportText(report), HasSubstr("keep it"));
  report.winner.reset();
  report.advice = {"buy"};
  EXPECT_THAT(ReportText(report), AllOf(HasSubstr("nothing meets"), HasSubstr("buy")));
}

TEST(ReportJson, IsJsonWithTheWinner) {
  SearchReport report = Report();
  report.winner = 0;
  const auto json = bench::JsonValue::Parse(ReportJson(report));
  ASSERT_TRUE(json.ok()) << json.status().message();
  EXPECT_EQ(json->At("winner").At("configuration").At("instances").AsInt(), 4);
  EXPECT_EQ(json->At("findings").elements().size(), 4u);
  EXPECT_EQ(json->At("cuts").elements()[0].At("rule").AsString(), "sla_of_batch");
  EXPECT_EQ(json->Find("closest_latency_ns"), nullptr);
}

TEST(ReportHtml, EscapesWhatItShows) {
  const std::string page = ReportHtml(Report());
  EXPECT_THAT(page, AllOf(HasSubstr("m&lt;1&gt;"), HasSubstr("batch 8 &amp; more"),
                          HasSubstr("<svg"), Not(HasSubstr("m<1>"))));
}

TEST(VariantsIn, ReadsWhatOptimizeWrote) {
  const auto variants = VariantsIn(
      R"({"variants":[
        {"name":"slow","backend":"onnxruntime","accuracy":{"accepted":true},"measured":{"items_per_s":5}},
        {"name":"int8","backend":"openvino","accuracy":{"accepted":true,"drop":0.02},
         "measured":{"items_per_s":50}},
        {"name":"wild","backend":"pytorch","accuracy":{"accepted":false},"measured":{"items_per_s":1}},
        {"backend":"nameless"}]})",
      {.thread_parameter = "t"});
  ASSERT_TRUE(variants.ok());
  ASSERT_EQ(variants->size(), 4u);
  EXPECT_EQ((*variants)[0].choice, "off");
  EXPECT_EQ((*variants)[1].name, "int8");
  EXPECT_NEAR((*variants)[1].accuracy_drop, 0.02, 1e-9);
  EXPECT_EQ((*variants)[1].thread_parameter, "INFERENCE_NUM_THREADS");
  EXPECT_EQ((*variants)[3].accuracy_drop, 1);
  EXPECT_FALSE(VariantsIn("[", {}).ok());
  EXPECT_EQ(VariantsIn("{}", {})->size(), 1u);
}

TEST(ParseTuneOptions, ReadsItsOwnFlags_AndLeavesTheRestToBench) {
  const auto options = ParseTuneOptions({"m", "--sla", "p95=20ms", "-u", "localhost:9000",
                                         "--budget=30s", "--accuracy-drop", "1%", "--shape", "x:3",
                                         "--objective", "cost", "--rate", "50", "--apply"});
  ASSERT_TRUE(options.ok()) << options.status().message();
  EXPECT_EQ(options->model, "m");
  EXPECT_EQ(options->search.target.sla, 20 * kMillisecond);
  EXPECT_EQ(options->search.target.percentile, 95);
  EXPECT_EQ(options->search.budget, 30 * kSecond);
  EXPECT_NEAR(options->search.accuracy_drop_max, 0.01, 1e-12);
  EXPECT_EQ(options->bench.target.port, 9000);
  EXPECT_EQ(options->bench.workload.item.shapes.count("x"), 1u);
  EXPECT_TRUE(options->apply);
}

TEST(ParseTuneOptions, ReadsTheGoalsOfSeveralModels) {
  const auto options =
      ParseTuneOptions({"a", "b", "--sla", "p99=50ms", "--sla", "b:p95=2s", "--share=a=3",
                        "--input-data", "b:zero", "--input-data", "random", "-u", "localhost:1"});
  ASSERT_TRUE(options.ok()) << options.status().message();
  ASSERT_EQ(options->models.size(), 2u);
  EXPECT_EQ(options->models[0].target.sla, 50 * kMillisecond);
  EXPECT_EQ(options->models[0].share, 3);
  EXPECT_EQ(options->models[1].target.sla, 2 * kSecond);
  EXPECT_EQ(options->models[1].target.percentile, 95);
  EXPECT_EQ(options->models[1].share, 1);
  EXPECT_THAT(options->models[1].data, testing::ElementsAre("zero"));
  EXPECT_THAT(options->bench.workload.item.data, testing::ElementsAre("random"));
}

TEST(ParseTuneOptions, SaysWhatIsMissingOrWrong) {
  const auto message = [](const std::vector<std::string>& arguments) {
    const auto options = ParseTuneOptions(arguments);
    return options.ok() ? std::string() : std::string(options.status().message());
  };
  EXPECT_THAT(message({}), HasSubstr("which model"));
  EXPECT_THAT(message({"m", "-u", "x:1"}), HasSubstr("--sla"));
  EXPECT_THAT(message({"m", "--sla", "p99=1ms"}), HasSubstr("where is the model"));
  EXPECT_THAT(message({"m", "--sla", "fast"}), HasSubstr("--sla"));
  EXPECT_THAT(message({"m", "--sla"}), HasSubstr("needs a value"));
  EXPECT_THAT(message({"m", "n", "--sla", "m:p99=1ms"}), HasSubstr("--sla n:p99=100ms"));
  EXPECT_THAT(message({"m", "n", "--sla", "x:p99=1ms"}), HasSubstr("'x' is none of the models"));
  EXPECT_THAT(message({"m", "n", "--sla", "p99=1ms", "--share", "m=0"}), HasSubstr("above 0"));
  EXPECT_THAT(message({"m", "n", "--sla", "p99=1ms", "--share", "x=1"}), HasSubstr("'x' is none"));
  EXPECT_THAT(message({"m", "m", "--sla", "p99=1ms"}), HasSubstr("twice"));
  EXPECT_THAT(message({"m", "n", "--sla", "p99=1ms", "--objective", "cost"}),
              HasSubstr("one model"));
  EXPECT_THAT(message({"m", "n.mar", "--sla", "p99=1ms"}), HasSubstr("model repository"));
  EXPECT_THAT(message({"m", "--sla", "p99=1ms", "--delays", "1ms"}), HasSubstr("0 must be among"));
  EXPECT_THAT(message({"m", "--sla", "p99=1ms", "-u", "x:1", "--objective", "fun"}),
              HasSubstr("throughput, cost, pareto"));
  EXPECT_THAT(message({"m", "--sla", "p99=1ms", "-u", "x:1", "--budget", "1ms"}),
              HasSubstr("--budget"));
  EXPECT_THAT(message({"m", "--sla", "p99=1ms", "-u", "x:1", "--no-such-flag"}),
              HasSubstr("no-such-flag"));
  EXPECT_THAT(message({"none.mar", "--sla", "p99=1ms"}), HasSubstr("is no file"));
}

}  // namespace
}  // namespace headrace::tune
