#include "torchserve/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "torchserve/host_metrics.h"

namespace headrace::torchserve {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

class KeptLines final : public LogLines {
 public:
  void Write(LogName name, LogLevel, std::string_view, std::string_view message) override {
    std::lock_guard lock(mutex_);
    // Without the time.
    lines_.emplace_back(name, message.substr(0, message.find("timestamp:")));
  }
  std::vector<std::pair<LogName, std::string>> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<LogName, std::string>> lines_;
};

class NullSink final : public engine::ResponseSink {
 public:
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Internal("none");
  }
  void Send(engine::InferResponse) override {}
  void Finish(Status) override {}
  bool Cancelled() const override { return false; }
};

class MetricsTest : public testing::Test {
 protected:
  std::unique_ptr<Metrics> Make(MetricsOptions options = {}) {
    options.hostname = "h";
    return std::make_unique<Metrics>(std::move(options), registry_, &lines_, clock_);
  }

  // One request that waited 2 ms, executed 5 ms, of which 4 were the backend's, and ended.
  void Predict(Metrics& metrics, std::string_view version, Status outcome) {
    frontend::InferSubmission submission;
    submission.received = clock_.Now();
    std::unique_ptr<engine::ResponseSink> sink = std::make_unique<NullSink>();
    metrics.WatchPrediction("m", version, submission, sink);
    const Nanos begun = clock_.Now() + 2 * kMillisecond;
    clock_.Advance(8 * kMillisecond);
    if (outcome.ok()) {
      submission.observer->OnExecution({.exec_start = begun,
                                        .compute_start = begun + kMillisecond / 2,
                                        .compute_end = begun + 9 * kMillisecond / 2,
                                        .exec_end = begun + 5 * kMillisecond});
    }
    sink->Finish(std::move(outcome));
  }

  std::string Page(Metrics& metrics, const MetricNames& names = {}) { return metrics.Page(names); }

  FakeClock clock_{kSecond};
  engine::Registry registry_;
  KeptLines lines_;
};

TEST_F(MetricsTest, Page_CountsAnswersByTheirClass) {
  const auto metrics = Make();
  for (const int status : {200, 202, 404, 503, 302}) {
    metrics->CountAnswer(status);
  }
  const std::string page = Page(*metrics);
  EXPECT_THAT(page,
              HasSubstr("# HELP Requests2XX Torchserve prometheus counter metric with unit: Count\n"
                        "# TYPE Requests2XX counter\n"
                        "Requests2XX{Level=\"Host\",Hostname=\"h\",} 2.0\n"));
  EXPECT_THAT(page, HasSubstr("Requests4XX{Level=\"Host\",Hostname=\"h\",} 1.0\n"));
  EXPECT_THAT(page, HasSubstr("Requests5XX{Level=\"Host\",Hostname=\"h\",} 2.0\n"));
  EXPECT_THAT(lines_.Take(), Contains(Pair(LogName::kTsMetrics,
                                           "Requests2XX.Count:1.0|#Level:Host|#hostname:h,")));
}

TEST_F(MetricsTest, Page_ShowsPredictionsByModelAndVersionAsAskedFor) {
  const auto metrics = Make();
  Predict(*metrics, "", OkStatus());
  Predict(*metrics, "", OkStatus());
  Predict(*metrics, "1.0", OkStatus());
  Predict(*metrics, "1.0", Internal("no"));
  const std::string page = Page(*metrics);
  const auto labels = [](std::string version) {
    return "{model_name=\"m\",model_version=\"" + std::move(version) + "\",hostname=\"h\",}";
  };
  EXPECT_THAT(page, HasSubstr("ts_inference_requests_total" + labels("default") + " 2.0\n"));
  EXPECT_THAT(page, HasSubstr("ts_inference_requests_total" + labels("1.0") + " 2.0\n"));
  EXPECT_THAT(page,
              HasSubstr("ts_inference_latency_microseconds" + labels("default") + " 16000.0\n"));
  EXPECT_THAT(page, HasSubstr("ts_queue_latency_microseconds" + labels("1.0") + " 2000.0\n"));
  EXPECT_THAT(page, HasSubstr("QueueTime{Level=\"Host\",Hostname=\"h\",} 2.0\n"));
  EXPECT_THAT(page, HasSubstr("WorkerThreadTime{Level=\"Host\",Hostname=\"h\",} 1.0\n"));
  EXPECT_THAT(page, HasSubstr("ts_inference_duration_seconds_bucket{model_name=\"m\",model_version="
                              "\"default\",hostname=\"h\",le=\"0.01\",} 2.0\n"));
  EXPECT_THAT(page, HasSubstr("ts_inference_duration_seconds_count" + labels("1.0") + " 1.0\n"));
}

TEST_F(MetricsTest, Lines_OfAPredictionAreTorchServes) {
  const auto metrics = Make();
  Predict(*metrics, "", OkStatus());
  std::vector<std::string> lines;
  for (auto& [name, text] : lines_.Take()) {
    EXPECT_EQ(name, LogName::kTsMetrics);
    lines.push_back(std::move(text));
  }
  const std::string model = "|#model_name:m,model_version:default|#hostname:h,";
  EXPECT_THAT(lines, ElementsAre("ts_inference_requests_total.Count:1.0" + model,
                                 "ts_inference_latency_microseconds.Microseconds:8000.0" + model,
                                 "ts_queue_latency_microseconds.Microseconds:2000.0" + model,
                                 "QueueTime.Milliseconds:2.0|#Level:Host|#hostname:h,",
                                 "WorkerThreadTime.Milliseconds:1.0|#Level:Host|#hostname:h,"));
}

TEST_F(MetricsTest, MetricLine_IsKeptIfTheCatalogueHasIt) {
  const auto metrics = Make();
  metrics->OnMetricLine(
      "[METRICS]PredictionTime.Milliseconds:0.5|#ModelName:m,Level:Model|#type:GAUGE|#hostname:x,5,"
      "id-1");
  metrics->OnMetricLine(
      "[METRICS]other.Count:1|#ModelName:m,Level:Model|#type:COUNTER|#hostname:x,5");
  metrics->OnMetricLine("[METRICS]nonsense");
  EXPECT_THAT(lines_.Take(),
              ElementsAre(Pair(LogName::kModelMetrics,
                               "PredictionTime.ms:0.5|#ModelName:m,Level:Model|#hostname:h,"
                               "requestID:id-1,")));
  const std::string page = Page(*metrics);
  EXPECT_THAT(page,
              HasSubstr("PredictionTime{ModelName=\"m\",Level=\"Model\",Hostname=\"h\",} 0.5\n"));
  EXPECT_THAT(page, Not(HasSubstr("other")));
}

TEST_F(MetricsTest, AutoDetect_TakesWhatHandlersTell) {
  const auto metrics = Make({.model_metrics_auto_detect = true});
  for (int i = 0; i < 2; ++i) {
    metrics->OnMetricLine("mine.Count:2|#ModelName:m,Level:Model|#type:COUNTER|#hostname:x,5,id");
  }
  metrics->OnMetricLine("spread.ms:3|#ModelName:m|#type:HISTOGRAM|#hostname:x,5");
  metrics->OnMetricLine("no name.ms:3|#ModelName:m|#type:GAUGE|#hostname:x,5");
  metrics->OnMetricLine("Requests2XX.Count:9|#Level:Host|#type:COUNTER|#hostname:x,5");
  metrics->OnMetricLine("untyped.Count:9|#Level:Host|#hostname:x,5");
  const std::string page = Page(*metrics);
  EXPECT_THAT(page, HasSubstr("# TYPE mine counter\n"
                              "mine{ModelName=\"m\",Level=\"Model\",Hostname=\"h\",} 4.0\n"));
  EXPECT_THAT(page, HasSubstr("spread_bucket{ModelName=\"m\",Hostname=\"h\",le=\"5.0\",} 1.0\n"));
  EXPECT_THAT(page, HasSubstr("spread_sum{ModelName=\"m\",Hostname=\"h\",} 3.0\n"));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("no name")), Not(HasSubstr("untyped")),
                          Not(HasSubstr("Requests2XX{"))));
}

// The benchmark's rule (contracts, TorchServe 10.2): what stands before the first '|', cut at ':',
// the fourth piece; two colons are in the line's time.
TEST_F(MetricsTest, Lines_AreReadByTheBenchmarksRule) {
  const auto metrics = Make();
  metrics->OnMetricLine(
      "PredictionTime.Milliseconds:12.25|#ModelName:m,Level:Model|#type:GAUGE|#hostname:x,5,id-1");
  const auto lines = lines_.Take();
  ASSERT_EQ(lines.size(), 1U);
  const std::string console =
      "2026-11-29T23:52:07,590 [INFO ] metrics MODEL_METRICS - " + lines[0].second;
  std::vector<std::string> pieces;
  std::string begin = console.substr(0, console.find('|'));
  for (std::size_t place = 0; place != std::string::npos;) {
    const std::size_t next = begin.find(':', place);
    pieces.push_back(begin.substr(place, next - place));
    place = next == std::string::npos ? next : next + 1;
  }
  ASSERT_EQ(pieces.size(), 4U);
  EXPECT_EQ(std::stod(pieces[3]), 12.25);
}

TEST_F(MetricsTest, Page_WithNamesHoldsNothingElse) {
  const auto metrics = Make();
  metrics->SetOwnPage([] {
    return std::string(
        "# HELP own_a A\n# TYPE own_a counter\nown_a{x=\"y\"} 1\n# HELP own_b B\n# TYPE own_b "
        "gauge\nown_b 2\n");
  });
  metrics->CountAnswer(200);
  EXPECT_EQ(Page(*metrics, {"Requests2XX", "own_b", "nothing"}),
            "# HELP Requests2XX Torchserve prometheus counter metric with unit: Count\n"
            "# TYPE Requests2XX counter\n"
            "Requests2XX{Level=\"Host\",Hostname=\"h\",} 1.0\n"
            "# HELP own_b B\n# TYPE own_b gauge\nown_b 2\n");
  EXPECT_THAT(Page(*metrics), EndsWith("own_b 2\n"));
}

TEST_F(MetricsTest, Modes_ChooseWhatThePageHolds) {
  const auto log = Make({.mode = MetricsMode::kLog});
  log->CountAnswer(200);
  EXPECT_THAT(Page(*log), IsEmpty());
  EXPECT_THAT(lines_.Take(), Not(IsEmpty()));
  const auto legacy = Make({.mode = MetricsMode::kLegacy});
  legacy->CountAnswer(200);
  Predict(*legacy, "", OkStatus());
  EXPECT_THAT(Page(*legacy),
              AllOf(Not(HasSubstr("Requests2XX")), HasSubstr("ts_inference_requests_total{"),
                    HasSubstr("ts_queue_latency_microseconds{")));
}

TEST_F(MetricsTest, Catalogue_LeavesOutWhatItDoesNotList) {
  MetricsOptions options;
  options.catalog = MetricsCatalog::Parse(
                        "ts_metrics: {counter: [{name: Requests2XX, unit: n, dimensions: [a, b]}, "
                        "{name: Requests4XX, unit: n, dimensions: [a]}]}")
                        .value();
  const auto metrics = Make(std::move(options));
  metrics->CountAnswer(200);
  metrics->CountAnswer(404);
  metrics->CountAnswer(500);
  const std::string page = Page(*metrics);
  EXPECT_THAT(page, HasSubstr("Requests2XX{a=\"Host\",b=\"h\",} 1.0\n"));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("Requests4XX{")), Not(HasSubstr("Requests5XX"))));
}

TEST_F(MetricsTest, Series_HaveALimit) {
  const auto metrics =
      Make({.model_metrics_auto_detect = true, .series_count_max = 2, .model_count_max = 1});
  for (const char* model : {"a", "b", "c", "d"}) {
    metrics->OnMetricLine(std::string("x.Count:1|#ModelName:") + model +
                          "|#type:COUNTER|#hostname:h,1");
    frontend::InferSubmission submission;
    std::unique_ptr<engine::ResponseSink> sink = std::make_unique<NullSink>();
    metrics->WatchPrediction(model, "", submission, sink);
  }
  const std::string page = Page(*metrics);
  EXPECT_THAT(page, AllOf(HasSubstr("x{ModelName=\"b\""), Not(HasSubstr("x{ModelName=\"c\""))));
  EXPECT_THAT(page, HasSubstr("ts_metrics_dropped_total 2.0\n"));
  EXPECT_THAT(page, HasSubstr("ts_inference_requests_total{model_name=\"(other)\",model_version="
                              "\"(other)\",hostname=\"h\",} 3.0\n"));
}

TEST_F(MetricsTest, Workers_AreLoggedOnceEach) {
  const auto metrics = Make();
  std::vector<LoadedWorker> workers = {{"W-9000-m_1.0", 12.5}};
  metrics->SetWorkers([&] { return workers; });
  metrics->LookAtWorkers();
  metrics->LookAtWorkers();
  workers.push_back({"W-9001-m_1.0", 3});
  EXPECT_THAT(Page(*metrics),
              HasSubstr("WorkerLoadTime{WorkerName=\"W-9001-m_1.0\",Level=\"Host\",Hostname=\"h\",}"
                        " 3.0\n"));
  EXPECT_THAT(
      lines_.Take(),
      ElementsAre(Pair(LogName::kTsMetrics,
                       "WorkerLoadTime.Milliseconds:12.5|#WorkerName:W-9000-m_1.0,Level:"
                       "Host|#hostname:h,"),
                  Pair(LogName::kTsMetrics, StartsWith("WorkerLoadTime.Milliseconds:3.0|"))));
}

TEST(HostMetricsTest, Parse_ReadsProcessorsAndMemory) {
  const auto ticks = ParseCpuTicks("cpu  10 1 2 80 5 1 1 0 0 0\ncpu0 1 2 3\n");
  ASSERT_TRUE(ticks.has_value());
  EXPECT_EQ(ticks->total, 100U);
  EXPECT_EQ(ticks->busy, 15U);
  EXPECT_FALSE(ParseCpuTicks("cpu  10 1").has_value());
  EXPECT_FALSE(ParseCpuTicks("").has_value());
  const auto memory = ParseMemory(
      "MemTotal: 4096 kB\nMemFree: 1024 kB\nMemAvailable: 2048 kB\nBuffers: 512 kB\nCached: 512 "
      "kB\n");
  ASSERT_TRUE(memory.has_value());
  EXPECT_EQ(memory->used_mb, 2.0);
  EXPECT_EQ(memory->available_mb, 2.0);
  EXPECT_EQ(memory->used_percent, 50.0);
  EXPECT_FALSE(ParseMemory("MemTotal: 4096 kB\n").has_value());
}

TEST_F(MetricsTest, HostMetrics_TellOfGpus) {
  const auto metrics = Make();
  device::GpuReading reading;
  reading.utilization = 0.25;
  reading.memory_total_byte_size = 4ULL << 30;
  reading.memory_used_byte_size = 1ULL << 30;
  // It looks once at least, and is through when it has ended.
  std::make_unique<HostMetrics>(
      HostMetricsOptions{.proc_root = "/nowhere",
                         .disk = "/nowhere",
                         .gpus =
                             [&] {
                               return std::vector<GpuFigures>{{3, reading}};
                             }},
      *metrics)
      .reset();
  const std::string page = Page(*metrics);
  const std::string labels = "{Level=\"Host\",DeviceId=\"3\",Hostname=\"h\",}";
  EXPECT_THAT(page, AllOf(HasSubstr("GPUUtilization" + labels + " 25.0\n"),
                          HasSubstr("GPUMemoryUtilization" + labels + " 25.0\n"),
                          HasSubstr("GPUMemoryUsed" + labels + " 1024.0\n"),
                          Not(HasSubstr("CPUUtilization{"))));
}

}  // namespace
}  // namespace headrace::torchserve
