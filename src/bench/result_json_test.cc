#include "bench/result_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "bench/bench_test_support.h"
#include "bench/verdict.h"

namespace headrace::bench {
namespace {

LevelResult Level() {
  LevelResult level;
  level.spec = testing::ConstantRate(250.5);
  level.spec.labels = {{"instances", "2"}, {"device", "cpu"}};
  level.spec.arrivals.profile = {{0, 0.5}, {kSecond, 2}};
  level.spec.arrivals.seed = 7;
  level.spec.sla = 20 * kMillisecond;
  level.spec.stop.interval_width = 0.05;
  level.stop_reason = StopReason::kInterval;
  level.measured_from = 5 * kSecond;
  level.measured_to = 15 * kSecond;
  level.wall_clock_offset = 1'700'000'000'000'000'000;
  level.intended_count = 2505;
  level.sent_count = 2504;
  level.outcomes[0] = 2500;
  level.outcomes[static_cast<int>(load::Outcome::kRefused)] = 5;
  level.wire_statuses[503] = 5;
  level.throughput = 500;
  level.goodput = 240;
  level.throughput_interval = {500, 490, 510};
  for (int i = 1; i <= 2500; ++i) {
    level.response_time.histogram.Record(i * 7919LL);
  }
  level.response_time.infinite_count = 3;
  level.response_time.mean = 1e7;
  level.cold_first_request = 123'456;
  level.client = {2, 4.5, 0.25, 11, 12};
  level.machine.steal_share = 0.01;
  level.machine.frequency_mhz = 2500;
  level.seconds = {{250, 249, 1, 500, 3 * kMillisecond, kNever}};
  ItemFigures& item = level.items.emplace_back();
  item.name = "a";
  item.count = 10;
  item.response_time.histogram.Record(5000, 10);
  ServerFigures& server = level.server["m"];
  server.inference_count = 5000;
  server.execution_count = 1000;
  server.queue_mean = 12'345.5;
  server.batches = {{4, 500}, {8, 375}};
  level.gauges["nv_gpu_utilization{gpu_uuid=\"GPU-1\"}"] = {0.5, 0.75, 0.6, 10};
  level.verdict.stable = false;
  level.verdict.lines = {{Remark::kBacklog, "answers \"fall\" behind"}};
  return level;
}

TEST(ResultJsonTest, ParseLevel_ReadsWhatToJsonWrote) {
  ResultDocument document;
  document.kind = "suite";
  document.name = "night";
  document.started_at = "2026-11-30T04:00:00Z";
  document.command_line = {"headrace", "bench", "-m", "ü\"x"};
  document.seed = 99;
  document.interrupted = true;
  document.environment.cpu_model = "cpu";
  document.environment.turbo = false;
  document.environment.cpu_limit = 1.5;
  document.environment.gpus.push_back({"H200", "GPU-1", 1ull << 37, 9.0, 700.0});
  document.target = {"v2 http", "127.0.0.1:8000", "TLS"};
  document.workload.push_back({"m", "m", "1", "onnxruntime", "abcd", 2, 4, 5, "INPUT0 FP32 [4]"});
  document.levels = {Level(), LevelResult()};
  document.extension = R"({"points":[1,2]})";

  const auto read = ParseResult(ToJson(document));
  ASSERT_TRUE(read.ok()) << read.status().message();
  // Everything of it, at once.
  EXPECT_EQ(ToJson(*read), ToJson(document));
  EXPECT_EQ(read->command_line.back(), "ü\"x");
  EXPECT_EQ(read->environment.gpus.front().power_limit_w, 700.0);
  EXPECT_FALSE(read->environment.smt);
  ASSERT_EQ(read->levels.size(), 2u);
  EXPECT_EQ(read->levels[0].spec.labels.at("instances"), "2");
  EXPECT_EQ(read->levels[0].verdict.lines.front().remark, Remark::kBacklog);
}

TEST(ResultJsonTest, ParseLevel_KeepsTheHistogram_SoThatIntervalsCanBeComputed) {
  ResultDocument document;
  document.levels = {Level()};
  const auto read = ParseResult(ToJson(document));
  ASSERT_TRUE(read.ok());
  const LatencyFigures& before = document.levels[0].response_time;
  const LatencyFigures& after = read->levels[0].response_time;
  EXPECT_EQ(after.histogram.min(), before.histogram.min());
  EXPECT_EQ(after.histogram.max(), before.histogram.max());
  EXPECT_EQ(after.count(), before.count());
  for (const double percentile : {1.0, 50.0, 90.0, 99.0}) {
    const Estimate a = before.Percentile(percentile);
    const Estimate b = after.Percentile(percentile);
    EXPECT_EQ(a.value, b.value);
    EXPECT_EQ(a.low, b.low);
    EXPECT_EQ(a.high, b.high);
  }
}

std::string ErrorOf(std::string_view json) {
  const auto read = ParseResult(json);
  return read.ok() ? "" : read.status().message();
}

TEST(ResultJsonTest, ParseResult_NamesTheFieldThatIsWrong) {
  EXPECT_NE(ErrorOf(R"({"schema_version":1,"levels":[{"throughput":"x"}]})")
                .find("'levels[0].throughput' is no number"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"schema_version":1,"environment":{"cpu_count":3000000000}})")
                .find("'environment.cpu_count' is out of range"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"schema_version":1,"levels":[3]})").find("'levels[0]' is no object"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"schema_version":1,"levels":[{"stop_reason":"tired"}]})")
                .find("levels[0].stop_reason"),
            std::string::npos);
  EXPECT_NE(ErrorOf(R"({"schema_version":1,"levels":[{"response_time_ns":{"buckets":[5,-1]}}]})")
                .find("out of range"),
            std::string::npos);
}

TEST(ResultJsonTest, ParseResult_RefusesOtherDocuments) {
  EXPECT_NE(ErrorOf("{").find("not JSON"), std::string::npos);
  EXPECT_NE(ErrorOf("{}").find("no 'schema_version'"), std::string::npos);
  const auto newer = ParseResult(R"({"schema_version":2})");
  EXPECT_EQ(newer.status().code(), StatusCode::kFailedPrecondition);
}

TEST(ResultJsonTest, ReadResultFile_SaysWhichFile) {
  const auto missing = ReadResultFile("/nonexistent/x.json");
  EXPECT_EQ(missing.status().code(), StatusCode::kNotFound);
  EXPECT_NE(missing.status().message().find("/nonexistent/x.json"), std::string::npos);
  EXPECT_FALSE(WriteResultFile("/nonexistent/x.json", {}).ok());
}

TEST(ResultJsonTest, WriteResultFile_LeavesAWholeFile) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "headrace_result_json";
  std::filesystem::create_directories(folder);
  const std::string path = folder / "r.json";
  ResultDocument document;
  document.levels = {Level()};
  ASSERT_TRUE(WriteResultFile(path, document).ok());
  const auto read = ReadResultFile(path);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->levels.size(), 1u);
  int files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
  }
  EXPECT_EQ(files, 1);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace headrace::bench
