#include "tracing/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tracing/otlp_exporter.h"
#include "tracing/trace_file.h"
#include "tracing/trace_update.h"

namespace headrace::tracing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TracerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Tracer> Make(TraceSettings settings, TraceMode mode = TraceMode::kTriton) {
    TraceTarget target;
    target.mode = mode;
    target.file = file_;
    auto tracer = Tracer::Create(settings, target);
    EXPECT_TRUE(tracer.ok()) << tracer.status().ToString();
    return *std::move(tracer);
  }
  static TraceSettings Timestamps(std::uint64_t rate = 1, std::int64_t count = -1) {
    return {.levels = {.timestamps = true}, .rate = rate, .count = count};
  }
  static int Count(Tracer& tracer, std::string_view model, int requests) {
    int traced = 0;
    for (int i = 0; i < requests; ++i) {
      traced += tracer.Begin(model, "") != nullptr ? 1 : 0;
    }
    return traced;
  }
  static std::string Read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  // One file per process: the tests of this program run side by side.
  const std::string file_ =
      ::testing::TempDir() + "headrace_tracer_" + std::to_string(::getpid()) + ".json";
};

TEST_F(TracerTest, Begin_TracesNothing_WhileItIsOff) {
  const auto tracer = Make({});
  EXPECT_FALSE(tracer->active());
  EXPECT_EQ(Count(*tracer, "m", 5000), 0);
}

TEST_F(TracerTest, Begin_TracesOneOfRateRequests_UntilTheCountIsUsedUp) {
  const auto tracer = Make(Timestamps(10, 3));
  EXPECT_EQ(Count(*tracer, "m", 25), 2);
  EXPECT_EQ(tracer->Get("").count, 1);
  EXPECT_EQ(Count(*tracer, "n", 1000), 1);
  EXPECT_EQ(tracer->Get("n").count, 0);
}

TEST_F(TracerTest, Update_OfAModel_LeavesTheOthersAlone_AndIsTakenBack) {
  const auto tracer = Make({});
  tracer->Update("m", {.levels = TraceLevels{.timestamps = true}, .rate = 2, .count = 1}, {});
  EXPECT_EQ(Count(*tracer, "n", 10), 0);
  EXPECT_EQ(Count(*tracer, "m", 10), 1);
  EXPECT_EQ(tracer->Get("m").rate, 2u);
  EXPECT_EQ(tracer->Get("m").count, 0);
  EXPECT_EQ(tracer->Get("n").rate, 1000u);
  tracer->Update("m", {}, {.levels = true, .rate = true, .count = true, .log_frequency = true});
  EXPECT_FALSE(tracer->active());
  EXPECT_EQ(tracer->Get("m").rate, 1000u);
}

TEST_F(TracerTest, Update_OfTheServer_GoesBackToTheStart_WhenItIsCleared) {
  const auto tracer = Make(Timestamps(7));
  tracer->Update("", {.rate = 3}, {});
  EXPECT_EQ(tracer->Get("m").rate, 3u);
  tracer->Update("", {}, {.rate = true});
  EXPECT_EQ(tracer->Get("m").rate, 7u);
}

TEST_F(TracerTest, File_IsACompleteArray_WithTheTracesThatHaveEnded) {
  {
    const auto tracer = Make(Timestamps());
    for (int i = 0; i < 2; ++i) {
      const auto trace = tracer->Begin("m", "");
      trace->SetModel("m", 3, i == 0 ? "" : "id");
      trace->Report(engine::TraceActivity::kRequestStart, 10 + i);
      trace->ReportCustom("MINE", 20);
      const auto child = trace->SpawnChild();
      child->SetModel("n", 1, "");
    }
  }
  const std::string text = Read(file_);
  EXPECT_EQ(text.front(), '[');
  EXPECT_EQ(text.back(), ']');
  EXPECT_THAT(text, HasSubstr(R"({"id":1,"model_name":"m","model_version":3})"));
  EXPECT_THAT(
      text,
      HasSubstr(
          R"({"id":1,"timestamps":[{"name":"REQUEST_START","ns":10},{"name":"MINE","ns":20}]})"));
  EXPECT_THAT(text, HasSubstr(R"("request_id":"id")"));
  EXPECT_THAT(text, HasSubstr(R"({"id":2,"model_name":"n","model_version":1,"parent_id":1})"));
}

TEST_F(TracerTest, Tensors_AreWritten_AtTheirLevelOnly) {
  Tensor tensor;
  tensor.dtype = DataType::kInt32;
  tensor.shape = Shape{1, 2};
  const std::int32_t values[] = {-5, 7};
  tensor.data = Buffer::CopyOf({reinterpret_cast<const char*>(values), sizeof(values)});
  {
    const auto tracer = Make({.levels = {.tensors = true}, .rate = 1});
    const auto trace = tracer->Begin("m", "");
    EXPECT_TRUE(trace->WantsTensors());
    trace->Report(engine::TraceActivity::kRequestStart, 1);
    trace->ReportTensor(engine::TraceActivity::kTensorQueueInput, "x", tensor);
  }
  const std::string text = Read(file_);
  EXPECT_THAT(
      text,
      HasSubstr(
          R"({"id":1,"activity":"TENSOR_QUEUE_INPUT","tensor":{"name":"x","data":"-5,7","shape":"1,2","dtype":"INT32"}})"));
  EXPECT_EQ(text.find("timestamps"), std::string::npos);
}

TEST_F(TracerTest, LogFrequency_MakesNumberedFiles) {
  {
    auto settings = Timestamps();
    settings.log_frequency = 2;
    const auto tracer = Make(settings);
    for (int i = 0; i < 3; ++i) {
      tracer->Begin("m", "")->SetModel("m", 1, "");
    }
  }
  EXPECT_THAT(Read(file_ + ".0"), HasSubstr(R"("id":2)"));
  EXPECT_THAT(Read(file_ + ".1"), HasSubstr(R"("id":3)"));
}

TEST_F(TracerTest, Create_SaysWhyAFileCannotBeWritten) {
  TraceTarget target;
  target.file = ::testing::TempDir() + "no_such_folder/trace.json";
  const auto tracer = Tracer::Create({}, target);
  EXPECT_EQ(tracer.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(tracer.status().message(), HasSubstr("No such file or directory"));
}

TEST_F(TracerTest, Traceparent_IsAlwaysTraced_AndContinued_InModeOpenTelemetry) {
  const auto tracer = Make({.levels = {.timestamps = true}, .rate = 0}, TraceMode::kOpenTelemetry);
  EXPECT_EQ(tracer->Begin("m", ""), nullptr);
  EXPECT_EQ(tracer->Begin("m", "00-nonsense"), nullptr);
  const auto trace = tracer->Begin("m", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
  ASSERT_NE(trace, nullptr);
  EXPECT_THAT(trace->Context(), HasSubstr("00-0af7651916cd43dd8448eb211c80319c-"));
  EXPECT_EQ(trace->Context().size(), 55u);
  tracer->Update("", {.levels = TraceLevels{}}, {});
}

TEST(SpanContextTest, Parse_KeepsToTheW3cForm) {
  EXPECT_TRUE(SpanContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
  EXPECT_TRUE(SpanContext::Parse("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  for (const char* text : {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
                           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                           "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) {
    EXPECT_FALSE(SpanContext::Parse(text)) << text;
  }
}

class OtlpExporterTest : public ::testing::Test {
 protected:
  static TraceData Trace(std::uint64_t id) {
    TraceData trace;
    trace.id = id;
    trace.model_name = "m";
    trace.model_version = 1;
    trace.span = *SpanContext::Parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203330-01");
    trace.events = {{"HTTP_RECV_START", 1}, {"REQUEST_START", 2}, {"COMPUTE_START", 3},
                    {"COMPUTE_END", 4},     {"REQUEST_END", 5},   {"HTTP_SEND_END", 6}};
    return trace;
  }
  PostFunction Post() {
    return [this](const std::string& url, const std::string& json) {
      EXPECT_EQ(url, "http://collector/v1/traces");
      posted_.push_back(json);
      return answer_;
    };
  }
  TraceTarget target_{
      .url = "http://collector/v1/traces", .schedule_delay_ms = 1000, .export_batch_size_max = 2};
  std::vector<std::string> posted_;
  Status answer_;
};

TEST_F(OtlpExporterTest, Trace_BecomesThreeNestedSpans_WithItsActivitiesAsEvents) {
  const std::string json = SpansJson(Trace(9), 1000);
  const std::string trace = R"("traceId":"0af7651916cd43dd8448eb211c80319c",)";
  EXPECT_THAT(
      json,
      HasSubstr(
          trace +
          R"("spanId":"b7ad6b7169203331","name":"InferRequest","kind":2,"startTimeUnixNano":"1001","endTimeUnixNano":"1006")"));
  EXPECT_THAT(
      json,
      HasSubstr(
          trace +
          R"("spanId":"b7ad6b7169203330","parentSpanId":"b7ad6b7169203331","name":"m","kind":1,"startTimeUnixNano":"1002","endTimeUnixNano":"1005")"));
  EXPECT_THAT(
      json,
      HasSubstr(
          trace +
          R"("spanId":"b7ad6b7169203332","parentSpanId":"b7ad6b7169203330","name":"compute","kind":1,"startTimeUnixNano":"1003","endTimeUnixNano":"1004")"));
  EXPECT_THAT(json, HasSubstr(R"({"timeUnixNano":"1003","name":"COMPUTE_START"})"));
  EXPECT_THAT(json, HasSubstr(R"({"key":"triton.trace_id","value":{"intValue":"9"}})"));
}

TEST_F(OtlpExporterTest, Flush_SendsFullBatches_AndOldOnes) {
  OtlpExporter exporter(target_, Post(), 0);
  exporter.Take(Trace(1));
  EXPECT_EQ(exporter.Flush(5, false), 5 + kSecond);
  EXPECT_TRUE(posted_.empty());
  exporter.Take(Trace(2));
  exporter.Take(Trace(3));
  exporter.Flush(6, false);
  ASSERT_EQ(posted_.size(), 1u);
  EXPECT_THAT(posted_[0],
              HasSubstr(R"("service.name","value":{"stringValue":"triton-inference-server"})"));
  exporter.Flush(6 + kSecond, false);
  EXPECT_EQ(posted_.size(), 2u);
  EXPECT_EQ(exporter.Flush(7 + kSecond, true), kNever);
  EXPECT_EQ(posted_.size(), 2u);
}

TEST_F(OtlpExporterTest, CollectorThatFails_CostsTraces_NotMemory) {
  target_.queue_size_max = 3;
  answer_ = Unavailable("down");
  OtlpExporter exporter(target_, Post(), 0);
  for (int i = 1; i <= 5; ++i) {
    exporter.Take(Trace(static_cast<std::uint64_t>(i)));
  }
  EXPECT_EQ(exporter.dropped(), 2u);
  exporter.Flush(0, true);
  EXPECT_EQ(exporter.dropped(), 5u);
}

TEST(TraceSettingsTest, Option_SetsWhatItNames) {
  TraceSettings settings;
  TraceTarget target;
  for (const char* text :
       {"level=TIMESTAMPS", "level=TENSORS", "rate=5", "count=-1", "count=9", "triton,file=/x",
        "triton,log-frequency=3", "mode=opentelemetry", "opentelemetry,url=http://h:1/p",
        "opentelemetry,resource=service.name=s", "opentelemetry,bsp_max_queue_size=7"}) {
    EXPECT_TRUE(ParseTraceOption(text, settings, target).ok()) << text;
  }
  EXPECT_THAT(settings.levels.Names(), ElementsAre("TIMESTAMPS", "TENSORS"));
  EXPECT_EQ(settings.rate, 5u);
  EXPECT_EQ(settings.count, 9);
  EXPECT_EQ(target.file, "/x");
  EXPECT_EQ(target.mode, TraceMode::kOpenTelemetry);
  EXPECT_EQ(target.resource.front().second, "s");
  EXPECT_EQ(target.queue_size_max, 7u);
  for (const char* text :
       {"", "level", "=x", "level=LOUD", "rate=-1", "rate=x", "count=-2", "mode=x", "x=1",
        "triton,x=1", "opentelemetry,url=ftp://x", "opentelemetry,x=1", "opentelemetry,resource=x",
        "opentelemetry,bsp_max_queue_size=0"}) {
    EXPECT_EQ(ParseTraceOption(text, settings, target).code(), StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(TraceUpdateTest, Read_TakesNumbersAsText_AndNullsThatClear) {
  using List = std::vector<std::string>;
  const auto update = ReadTraceUpdate({{"trace_level", List{"TIMESTAMPS"}},
                                       {"trace_rate", std::string("5")},
                                       {"trace_count", std::int64_t{-1}},
                                       {"log_frequency", std::monostate()}});
  ASSERT_TRUE(update.ok()) << update.status().ToString();
  EXPECT_TRUE(update->changes.levels->timestamps);
  EXPECT_EQ(update->changes.rate, 5u);
  EXPECT_EQ(update->changes.count, -1);
  EXPECT_TRUE(update->cleared.log_frequency);
  EXPECT_EQ(ReadTraceUpdate({{"trace_file", std::string("/etc/passwd")}}).status().code(),
            StatusCode::kUnimplemented);
  EXPECT_EQ(ReadTraceUpdate({{"trace_mode", std::string("x")}}).status().code(),
            StatusCode::kUnimplemented);
  const std::vector<protocol::Settings> bad = {
      {{"trace_rate", std::string("-1")}}, {{"trace_rate", true}},
      {{"trace_count", std::int64_t{-2}}}, {{"trace_level", std::int64_t{1}}},
      {{"trace_level", List{"LOUD"}}},     {{"trace_level", List{"OFF", "TENSORS"}}},
      {{"no_such", std::string("1")}},     {{"trace_rate", List{"1", "2"}}}};
  for (const auto& settings : bad) {
    EXPECT_EQ(ReadTraceUpdate(settings).status().code(), StatusCode::kInvalidArgument)
        << settings.front().first;
  }
}

}  // namespace
}  // namespace headrace::tracing
