#include "bench/bench_options.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace headrace::bench {
namespace {

using Kind = load::ArrivalSpec::Kind;

BenchOptions Parsed(std::vector<std::string> arguments) {
  Result<BenchOptions> options = ParseBenchOptions(arguments);
  EXPECT_TRUE(options.ok()) << options.status().message();
  return options.ok() ? *std::move(options) : BenchOptions();
}

std::string ErrorOf(std::vector<std::string> arguments) {
  const Result<BenchOptions> options = ParseBenchOptions(arguments);
  return options.ok() ? "" : options.status().message();
}

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(BenchOptionsTest, AModelAlone_IsProbedInAnOpenLoop) {
  const BenchOptions options = Parsed({"-m", "resnet"});
  EXPECT_EQ(options.plan.kind, LevelPlan::Kind::kProbe);
  EXPECT_EQ(options.level.arrivals.kind, Kind::kPoisson);
  EXPECT_EQ(options.target.protocol, load::Protocol::kV2Http);
  EXPECT_EQ(options.target.port, 8000);
  EXPECT_EQ(options.workload.item.model, "resnet");
  EXPECT_EQ(options.level.stop.duration, 10 * kSecond);
}

TEST(BenchOptionsTest, Rate_IsOpen_AndConcurrencyIsClosed) {
  const BenchOptions open = Parsed({"-m", "m", "--rate", "100:300:100"});
  EXPECT_EQ(open.plan.kind, LevelPlan::Kind::kLevels);
  EXPECT_FALSE(open.plan.closed);
  EXPECT_EQ(open.plan.range.end, 300);
  const BenchOptions closed = Parsed({"-m", "m", "--concurrency", "8"});
  EXPECT_TRUE(closed.plan.closed);
  EXPECT_EQ(closed.level.arrivals.kind, Kind::kClosed);
}

// A command line of a script that runs perf_analyzer.
TEST(BenchOptionsTest, FlagsOfPerfAnalyzer_MeanWhatTheyMeanThere) {
  const BenchOptions options = Parsed({"-m",
                                       "m",
                                       "-x",
                                       "2",
                                       "-u",
                                       "host:9001",
                                       "-i",
                                       "gRPC",
                                       "-b4",
                                       "--streaming",
                                       "--async",
                                       "--request-rate-range",
                                       "10:50:20",
                                       "--request-distribution",
                                       "poisson",
                                       "--measurement-interval",
                                       "4000",
                                       "--percentile=95",
                                       "-l",
                                       "25.5",
                                       "--shape",
                                       "A:1,2",
                                       "--shape",
                                       "B:3",
                                       "--input-data",
                                       "zero",
                                       "--string-length",
                                       "16",
                                       "--max-threads",
                                       "1",
                                       "-H",
                                       "Authorization: Bearer x",
                                       "-f",
                                       "out.csv",
                                       "--verbose-csv",
                                       "-v",
                                       "-v",
                                       "--grpc-compression-algorithm",
                                       "gzip",
                                       "--sequence-length",
                                       "5",
                                       "--num-of-sequences",
                                       "3",
                                       "--sequence-id-range",
                                       "100:200",
                                       "--metrics-url",
                                       "host:9002/metrics",
                                       "--request-parameter",
                                       "max_tokens:256:int",
                                       "--stability-percentage",
                                       "999"});
  EXPECT_EQ(options.target.protocol, load::Protocol::kV2Grpc);
  EXPECT_EQ(options.target.host, "host");
  EXPECT_EQ(options.target.port, 9001);
  EXPECT_TRUE(options.target.streaming);
  EXPECT_EQ(options.target.grpc_compression, "gzip");
  EXPECT_EQ(options.target.headers.front().second, "Bearer x");
  EXPECT_EQ(options.workload.item.version, "2");
  EXPECT_EQ(options.workload.item.batch_size, 4);
  EXPECT_EQ(options.workload.item.shapes.at("B"), std::vector<std::int64_t>({3}));
  EXPECT_EQ(options.workload.item.sequences.length, 5);
  EXPECT_EQ(options.workload.item.sequences.id_last, 199u);
  EXPECT_EQ(options.level.arrivals.kind, Kind::kPoisson);
  EXPECT_EQ(options.level.stop.duration, 4 * kSecond);
  EXPECT_EQ(options.level.percentile, 95);
  EXPECT_EQ(options.level.sla, 25'500 * kMicrosecond);
  EXPECT_EQ(options.sender_count, 1);
  EXPECT_EQ(options.output.csv, "out.csv");
  EXPECT_EQ(options.output.verbosity, 2);
  EXPECT_EQ(options.output.percentile_column, 95);
  ASSERT_EQ(options.notes.size(), 2u);  // --async, --stability-percentage
  EXPECT_TRUE(Has(options.notes[1], "--stability-percentage does nothing here"));
}

TEST(BenchOptionsTest, RequestRateRange_HasConstantGaps_AsInPerfAnalyzer) {
  EXPECT_EQ(Parsed({"-m", "m", "--request-rate-range", "10"}).level.arrivals.kind, Kind::kConstant);
  EXPECT_EQ(Parsed({"-m", "m", "--rate", "10"}).level.arrivals.kind, Kind::kPoisson);
}

TEST(BenchOptionsTest, ACountOfRequests_HasAllTheTimeItNeeds) {
  const BenchOptions count = Parsed({"-m", "m", "--request-count", "70"});
  EXPECT_EQ(count.level.stop.request_count, 70u);
  EXPECT_EQ(count.level.stop.duration, kNever);
  EXPECT_EQ(Parsed({"-m", "m", "-n", "70", "--duration", "2s"}).level.stop.duration, 2 * kSecond);
  const BenchOptions windows = Parsed({"-m", "m", "--measurement-mode", "count_windows"});
  EXPECT_EQ(windows.level.stop.request_count, 50u);
  EXPECT_EQ(Parsed({"-m", "m", "--warmup-request-count", "0"}).level.warmup_max, 0);
}

TEST(BenchOptionsTest, Urls_AreReadInAllTheirForms) {
  EXPECT_EQ(Parsed({"-m", "m", "-u", "https://h"}).target.port, 443);
  EXPECT_TRUE(Parsed({"-m", "m", "-u", "https://h:8443/"}).target.tls.enabled);
  EXPECT_EQ(Parsed({"-m", "m", "-u", "[::1]:9"}).target.host, "::1");
  EXPECT_EQ(Parsed({"-m", "m", "-u", "unix:/run/s"}).target.unix_socket, "/run/s");
  EXPECT_EQ(Parsed({"-m", "m", "-i", "grpc"}).target.port, 8001);
  EXPECT_EQ(Parsed({"-i", "raw", "-u", "http://h:1/a/b"}).target.path, "/a/b");
  for (const char* wrong : {"h:x", "h:0", ":8", "h:70000", "[::1", "unix:", "http://h/v2"}) {
    EXPECT_TRUE(Has(ErrorOf({"-m", "m", "-u", wrong}), "--url:")) << wrong;
  }
}

TEST(BenchOptionsTest, WhatIsNotDone_IsRefusedWithItsReason) {
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--shared-memory", "cuda"}), "no GPU memory"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--service-kind", "openai"}), "-i raw --path"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--service-kind", "tfserving"}), "-i v1"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--periodic-concurrency-range", "1:4:1"}), "--profile"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--streaming"}), "-i grpc"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--ssl-https-private-key-type", "DER"}), "PEM"));
}

TEST(BenchOptionsTest, Mistakes_AreNamedWithTheFlag) {
  EXPECT_TRUE(Has(ErrorOf({}), "-m NAME"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--duration", "10x"}), "--duration: '10x' is no duration"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--rate", "5:1"}), "--rate: '5:1'"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--rate", "5", "--concurrency", "1"}), "not both"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--concurrency", "1:0"}), "--sla p99=100ms"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--find-capacity"}), "--sla p99=100ms"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--binary-search", "--rate", "1:9", "-l", "0"}), "limit"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--arrivals", "uniform"}), "poisson, constant, gamma"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--percentile", "101"}), "--percentile"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--unknown"}), "--unknown"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "-b", "0"}), "--batch-size: '0'"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--json", "-", "--csv", "-"}), "only one of"));
}

TEST(BenchOptionsTest, FindCapacity_KeepsTheSla) {
  const BenchOptions options = Parsed({"-m", "m", "--find-capacity", "--sla", "p95=20ms"});
  EXPECT_EQ(options.plan.kind, LevelPlan::Kind::kCapacity);
  EXPECT_EQ(options.level.percentile, 95);
  EXPECT_EQ(options.level.sla, 20 * kMillisecond);
}

TEST(BenchOptionsTest, FixedSchedule_TakesTheTimesOfTheEntries) {
  const std::string path =
      (std::filesystem::path(::testing::TempDir()) / "headrace_schedule.json").string();
  std::ofstream(path) << R"({"data":[{"timestamp":[100],"A":[1]},{"timestamp":125.5,"A":[2]}]})";
  const BenchOptions options = Parsed({"-m", "m", "--fixed-schedule", "--input-data", path});
  EXPECT_EQ(options.level.arrivals.kind, Kind::kSchedule);
  EXPECT_EQ(options.level.arrivals.intervals, std::vector<Nanos>({0, 25'500 * kMicrosecond}));
  EXPECT_EQ(options.sender_count, 1);
  std::ofstream(path) << R"({"data":[{"A":[1]}]})";
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--fixed-schedule", "--input-data", path}), "entry 0"));
  std::filesystem::remove(path);
}

TEST(BenchOptionsTest, Gate_NeedsGivenLoadsAndWhatItComparesWith) {
  const BenchOptions options =
      Parsed({"-m", "m", "--rate", "10", "--gate", "p99<=10ms, failures<=0.1%"});
  EXPECT_EQ(options.gate.conditions.size(), 2U);
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--gate", "p99<=10ms"}), "--rate or --concurrency"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--rate", "10", "--gate", "p99<=+5%"}), "--baseline FILE"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--rate", "10", "--gate", "p98=1"}), "p98=1"));
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--rate", "10", "--baseline", "x"}), "--gate"));
  EXPECT_TRUE(
      Has(ErrorOf({"-m", "m", "--rate", "10", "--gate", "p99<=+5%", "--baseline", "/no/such/file"}),
          "/no/such/file"));
}

TEST(BenchOptionsTest, GoldenRecord_ComparesNothing) {
  EXPECT_EQ(Parsed({"-m", "m", "--golden-record", "f", "--senders", "4"}).sender_count, 1);
  EXPECT_TRUE(Has(ErrorOf({"-m", "m", "--golden-record", "f", "--golden", "g"}), "not both"));
}

TEST(BenchOptionsTest, Help_ListsTheFlags) {
  const BenchOptions options = Parsed({"--help"});
  EXPECT_TRUE(options.help);
  EXPECT_TRUE(Has(options.help_text, "--find-capacity"));
}

TEST(BenchValuesTest, Values_AreReadWhole) {
  EXPECT_EQ(*ParseDuration("1.5m"), 90 * kSecond);
  EXPECT_EQ(*ParseDuration("250us"), 250 * kMicrosecond);
  EXPECT_EQ(*ParseDuration("7", kMillisecond), 7 * kMillisecond);
  EXPECT_FALSE(ParseDuration("-1s").ok());
  EXPECT_FALSE(ParseDuration("1e30s").ok());
  EXPECT_FALSE(ParseDuration("").ok());
  EXPECT_DOUBLE_EQ(*ParseShare("5%"), 0.05);
  EXPECT_FALSE(ParseShare("120%").ok());
  EXPECT_FALSE(ParseNumber("1.5x").ok());
  EXPECT_FALSE(ParseNumber("nan").ok());
  EXPECT_TRUE(ParseRange("1:0:2")->unbounded());
  EXPECT_FALSE(ParseRange("1:2:3:4").ok());
  EXPECT_FALSE(ParseRange("0").ok());
  EXPECT_EQ(ParseSla("p99.9=1s")->percentile, 99.9);
  EXPECT_EQ(ParseSla("80ms")->limit, 80 * kMillisecond);
  EXPECT_FALSE(ParseSla("p99").ok());
  EXPECT_FALSE(ParseSla("mean=1ms").ok());
  ASSERT_TRUE(ParseProfile("0s:0.5,10s:2").ok());
  EXPECT_EQ(ParseProfile("0s:0.5,10s:2")->back().factor, 2);
  EXPECT_FALSE(ParseProfile("10s:1,0s:2").ok());
}

}  // namespace
}  // namespace headrace::bench
