// The files for other tools: perf_analyzer's table and export, traces.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/unique_fd.h"
#include "bench/bench_outputs.h"
#include "bench/bench_test_support.h"
#include "bench/breakdown.h"
#include "bench/file_writer.h"
#include "bench/pa_csv.h"
#include "bench/percentile_files.h"
#include "bench/profile_export.h"
#include "bench/request_trace.h"
#include "bench/text_report.h"

namespace headrace::bench {
namespace {

LevelResult Level(double throughput, int concurrency) {
  LevelResult level;
  level.spec.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
  level.spec.arrivals.concurrency = concurrency;
  level.measured_to = 10 * kSecond;
  level.throughput = level.request_rate = throughput;
  level.intended_count = level.outcomes[0] = 1000;
  level.response_time.histogram.Record(2 * kMillisecond, 1000);
  level.service_time.histogram.Record(1900 * kMicrosecond, 1000);
  level.response_time.mean = 2e6;
  level.service_time.mean = 1.9e6;
  level.send_lag.mean = 1e5;
  ServerFigures& server = level.server["m"];
  server.success_count = server.inference_count = 1000;
  server.execution_count = 500;
  server.request_mean = 1.5e6;
  server.queue_mean = 3e5;
  server.compute_input_mean = 1e5;
  server.compute_infer_mean = 9e5;
  server.compute_output_mean = 5e4;
  return level;
}

ResultDocument Document() {
  ResultDocument document;
  document.target = {"v2 http", "127.0.0.1:8000", ""};
  document.workload.emplace_back().model = "m";
  document.levels = {Level(900, 8), Level(500.5, 1)};
  return document;
}

TEST(PaCsvTest, PaCsv_HasPerfAnalyzersColumns_RowsByThroughput) {
  EXPECT_EQ(PaCsv(Document(), "m", {}),
            "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,"
            "Server Compute Input,Server Compute Infer,Server Compute Output,Client Recv,"
            "p50 latency,p90 latency,p95 latency,p99 latency\n"
            "1,500.5,100,550,300,100,900,50,0,2000,2000,2000,2000\n"
            "8,900,100,550,300,100,900,50,0,2000,2000,2000,2000\n");
}

TEST(PaCsvTest, PaCsv_HasTheColumnsOfWhatWasAskedFor) {
  ResultDocument document = Document();
  for (LevelResult& level : document.levels) {
    level.spec.arrivals.kind = load::ArrivalSpec::Kind::kPoisson;
    level.spec.arrivals.rate = 1000;
    level.first_response_time.histogram.Record(5);
    level.response_rate = 2000;
    level.server["m"].cache_hit_count = 1;
    level.gauges["nv_gpu_utilization{gpu_uuid=\"GPU-1\"}"] = {0.25, 0.5, 0.5, 2};
    level.gauges["nv_gpu_memory_used_bytes{gpu_uuid=\"GPU-1\"}"] = {10, 20, 10, 2};
  }
  const std::string verbose =
      PaCsv(document, "m", {.verbose = true, .metrics = true, .percentile = 97});
  const std::string head = verbose.substr(0, verbose.find('\n'));
  EXPECT_EQ(head,
            "Request Rate,Inferences/Second,Response Throughput,Client Send,"
            "Network+Server Send/Recv,Server Queue,Server Compute Input,Server Compute Infer,"
            "Server Compute Output,Server Cache Hit,Server Cache Miss,Client Recv,p50 latency,"
            "p90 latency,p95 latency,p97 latency,p99 latency,request/response,response wait,"
            "Avg GPU Utilization,Avg GPU Power Usage,Max GPU Memory Usage,Total GPU Memory");
  EXPECT_NE(verbose.find(",GPU-1:0.25;,,GPU-1:20;,\n"), std::string::npos) << verbose;
  const std::string plain =
      PaCsv(document, "m", {.verbose = true, .metrics = false, .percentile = {}});
  EXPECT_NE(plain.find("p99 latency,Avg latency,request/response,response wait\n"),
            std::string::npos);
}

TEST(PaCsvTest, PaCsv_LeavesTheServerOut_WhereItSaidNothing) {
  ResultDocument document = Document();
  for (LevelResult& level : document.levels) {
    level.server.clear();
  }
  EXPECT_TRUE(PaCsv(document, "m", {})
                  .starts_with("Concurrency,Inferences/Second,Client Send,Client Recv,p50"));
}

TEST(PaCsvTest, WritePaCsv_WritesAFileForEachModelOfAnEnsemble) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "headrace_pa_csv";
  std::filesystem::create_directories(folder);
  ResultDocument document = Document();
  document.levels[0].server["step"] = document.levels[0].server["m"];
  ASSERT_TRUE(WritePaCsv(folder / "x.csv", document, {}).ok());
  EXPECT_TRUE(std::filesystem::exists(folder / "x.csv"));
  EXPECT_TRUE(std::filesystem::exists(folder / "step_v.x.csv"));
  std::filesystem::remove_all(folder);
}

std::vector<load::RequestRecord> SomeRecords() {
  std::vector<load::RequestRecord> records(3);
  for (int i = 0; i < 3; ++i) {
    records[i].intended = 1000 + i * 10;
    records[i].sent = 1005 + i * 2000;
    records[i].done = records[i].first_response = 9000 + i;
  }
  records[1].outcome = load::Outcome::kRefused;
  records[2].response_count = 2;
  records[2].first_response = 8000;
  records[2].sequence_id = 5;
  return records;
}

TEST(ProfileExportTest, ProfileExportJson_HasPerfAnalyzersForm) {
  ResultDocument document = Document();
  document.levels.resize(1);
  document.levels[0].records = SomeRecords();
  document.levels[0].wall_clock_offset = 100'000;
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const std::string text = ProfileExportJson(document);
  ASSERT_EQ(parser.parse(text).get(root), simdjson::SUCCESS);
  const auto experiment = root["experiments"].at(0);
  EXPECT_EQ(std::string_view(experiment["experiment"]["mode"]), "concurrency");
  EXPECT_EQ(std::int64_t(experiment["experiment"]["value"]), 8);
  const auto requests = experiment["requests"];
  EXPECT_EQ(std::int64_t(requests.at(0)["timestamp"]), 101'005);
  EXPECT_EQ(std::int64_t(requests.at(0)["response_timestamps"].at(0)), 109'000);
  EXPECT_EQ(requests.at(1)["response_timestamps"].get_array().value_unsafe().size(), 0u);
  EXPECT_EQ(std::string_view(requests.at(1)["error"]), "refused");
  EXPECT_EQ(std::int64_t(requests.at(2)["sequence_id"]), 5);
  EXPECT_EQ(requests.at(2)["response_timestamps"].get_array().value_unsafe().size(), 2u);
  EXPECT_EQ(std::int64_t(experiment["window_boundaries"].at(1)), 10 * kSecond + 100'000);
  EXPECT_EQ(std::string_view(root["service_kind"]), "triton");
}

TEST(RequestTraceTest, RequestTraceJson_PutsOverlappingRequestsIntoLanes) {
  ResultDocument document = Document();
  document.levels.resize(1);
  document.levels[0].records = SomeRecords();
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const std::string text = RequestTraceJson(document);
  ASSERT_EQ(parser.parse(text).get(root), simdjson::SUCCESS);
  std::set<std::int64_t> lanes;
  int requests = 0;
  int waits = 0;
  for (const simdjson::dom::element event : root["traceEvents"].get_array()) {
    const std::string_view name = event["name"];
    if (name == "request" || name == "refused") {
      ++requests;
      lanes.insert(std::int64_t(event["tid"]));
    }
    waits += name == "client queue";
  }
  EXPECT_EQ(requests, 3);
  EXPECT_EQ(lanes.size(), 3u);
  EXPECT_EQ(waits, 2);
}

TEST(RequestTraceTest, RequestTraceJson_DrawsSome_OfVeryMany) {
  ResultDocument document = Document();
  document.levels.resize(1);
  auto& records = document.levels[0].records;
  records.resize(50'000);
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].intended = records[i].sent = static_cast<Nanos>(i) * kMicrosecond;
    records[i].done = records[i].intended + (i == 33'333 ? kSecond : 500);
  }
  const std::string text = RequestTraceJson(document);
  std::size_t count = 0;
  for (std::size_t at = text.find("\"request\""); at != std::string::npos;
       at = text.find("\"request\"", at + 1)) {
    ++count;
  }
  EXPECT_EQ(count, 20'000u);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(text).get(root), simdjson::SUCCESS);
  double longest = 0;
  for (const simdjson::dom::element event : root["traceEvents"].get_array()) {
    double duration = 0;
    if (event["dur"].get(duration) == simdjson::SUCCESS) {
      longest = std::max(longest, duration);
    }
  }
  EXPECT_EQ(longest, 1e6);  // the slowest is among them
}

TEST(PercentileFilesTest, WritePercentiles_NamesAFileForEachLevel) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "headrace_hgrm";
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(WritePercentiles(folder / "x.hgrm", Document()).ok());
  EXPECT_TRUE(std::filesystem::exists(folder / "x.1.hgrm"));
  EXPECT_TRUE(std::filesystem::exists(folder / "x.2.hgrm"));
  std::filesystem::remove_all(folder);
}

TEST(BreakdownTest, Breakdown_AddsUpToTheResponseTime) {
  const LevelResult level = Level(900, 8);
  double sum = 0;
  for (const TimePart& part : Breakdown(level, "m")) {
    sum += part.mean;
  }
  EXPECT_NEAR(sum, level.response_time.mean, 1);
  EXPECT_EQ(Breakdown(level, "other").size(), 2u);
}

TEST(TextReportTest, LevelText_CallsAClosedLoopClosed_AndHasUnits) {
  ResultDocument document = Document();
  document.levels[0].verdict.stable = false;
  document.levels[0].verdict.lines = {{Remark::kDrift, "p50 rises"}};
  const std::string text = LevelText(document.levels[0], document, 1);
  EXPECT_NE(text.find("closed"), std::string::npos) << text;
  EXPECT_NE(text.find("900 inferences/s"), std::string::npos) << text;
  EXPECT_NE(text.find("p99 2.00 ms"), std::string::npos) << text;
  EXPECT_NE(text.find("mean batch 2.00"), std::string::npos) << text;
  EXPECT_NE(text.find("not stable: drift"), std::string::npos) << text;
  EXPECT_NE(text.find("- p50 rises"), std::string::npos) << text;
  const std::string table = LevelTable(document.levels);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
}

TEST(BenchOutputsTest, CheckOutputs_NamesTheOption_AndLeavesFilesAsTheyAre) {
  const std::string path = ::testing::TempDir() + "/outputs_" + std::to_string(getpid());
  const std::string lines = path + ".ndjson";
  ASSERT_TRUE(WriteFile(lines, "of an earlier run\n").ok());
  OutputOptions options;
  options.json = "-";
  options.ndjson = lines;
  options.csv = options.html = path;
  EXPECT_TRUE(CheckOutputs(options).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(std::filesystem::file_size(lines), 0u);  // lines are added to it
  options.percentiles = path + "/none/x.hgrm";
  const Status refused = CheckOutputs(options);
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message(),
            "--hgrm: " + path + "/none/x.hgrm cannot be written: No such file or directory");
  ::unlink(lines.c_str());
}

TEST(FileWriterTest, WritesToADevice_AndDoesNotTakeItsPlace) {
  const std::filesystem::path pipe =
      std::filesystem::path(::testing::TempDir()) / fmt::format("file_writer_{}", getpid());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const UniqueFd reader(open(pipe.c_str(), O_RDONLY | O_NONBLOCK));
  EXPECT_TRUE(WriteFile(pipe.string(), "figures").ok());
  EXPECT_EQ(std::filesystem::status(pipe).type(), std::filesystem::file_type::fifo);
  char read_back[16] = {};
  EXPECT_EQ(read(reader.get(), read_back, sizeof(read_back)), 7);
  EXPECT_STREQ(read_back, "figures");
  std::filesystem::remove(pipe);
}

}  // namespace
}  // namespace headrace::bench
