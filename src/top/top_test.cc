#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "top/rows.h"
#include "top/screen.h"

namespace headrace::top {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Reading At(Nanos at, std::uint64_t requests, std::uint64_t executions) {
  Reading reading;
  reading.at = at;
  reading.server = "triton 2.60";
  load::ModelStatistics model;
  model.success_count = requests;
  model.success_ns = requests * 4'000'000;
  model.inference_count = requests;
  model.execution_count = executions;
  model.queue_count = requests;
  model.queue_ns = requests * 1'000'000;
  model.compute_infer_ns = requests * 2'000'000;
  model.fail_count = requests / 100;
  reading.models["busy"] = {model};
  reading.models["idle"] = {load::ModelStatistics()};
  return reading;
}

const ModelRow& RowOf(const std::vector<ModelRow>& rows, const std::string& model) {
  for (const ModelRow& row : rows) {
    if (row.model == model) {
      return row;
    }
  }
  ADD_FAILURE() << model;
  return rows.front();
}

TEST(TopRowsTest, WithoutHistograms_MeansAreMarked) {
  const Reading before = At(0, 0, 0), after = At(2 * kSecond, 1000, 250);
  const auto rows = RowsBetween(&before, after);
  const ModelRow& row = RowOf(rows, "busy");
  EXPECT_EQ(row.rate, 500);
  EXPECT_EQ(row.failure_rate, 5);
  EXPECT_EQ(row.latency_mean, 4e6);
  EXPECT_EQ(row.queue_mean, 1e6);
  EXPECT_EQ(row.batch_mean, 4);
  EXPECT_EQ(row.execute_mean, 2e6);
  EXPECT_FALSE(row.execute_p99);
  EXPECT_TRUE(row.busy_estimated);
  EXPECT_EQ(row.busy, 0.25);  // 2 s of requests in batches of 4, over 2 s
  EXPECT_FALSE(RowOf(rows, "idle").latency_mean);
}

TEST(TopRowsTest, Histograms_GivePercentilesAndBusyInstances) {
  constexpr char kPage[] = R"(# TYPE headrace_request_duration_seconds histogram
headrace_request_duration_seconds_bucket{model="busy",version="1",le="0.004"} 99
headrace_request_duration_seconds_bucket{model="busy",version="1",le="+Inf"} 100
headrace_request_duration_seconds_bucket{model="busy",version="2",le="0.004"} 99
headrace_request_duration_seconds_bucket{model="busy",version="2",le="+Inf"} 100
# TYPE headrace_request_execute_seconds histogram
headrace_request_execute_seconds_bucket{model="busy",le="0.001"} %
headrace_request_execute_seconds_bucket{model="busy",le="0.002"} 100
headrace_request_execute_seconds_bucket{model="busy",le="+Inf"} 100
headrace_request_execute_seconds_sum{model="busy"} 0.5
headrace_request_execute_seconds_count{model="busy"} 100
# TYPE headrace_instances_ready gauge
headrace_instances_ready{model="busy"} 2
# TYPE nv_inference_pending_request_count gauge
nv_inference_pending_request_count{model="busy"} 7
)";
  std::string page = kPage;
  page.replace(page.find('%'), 1, "50");
  const Reading before = At(0, 0, 0);
  Reading after = At(kSecond, 100, 100);
  after.metrics = *load::ReadMetrics(page);
  const auto rows = RowsBetween(&before, after);
  const ModelRow& row = RowOf(rows, "busy");
  EXPECT_NEAR(*row.latency_p50, 4e6 * 50 / 99, 1);
  EXPECT_NEAR(*row.latency_p99, 4e6, 1);
  EXPECT_NEAR(*row.execute_p50, 1e6, 1);
  EXPECT_NEAR(*row.execute_p99, 1.98e6, 1);
  EXPECT_FALSE(row.execute_mean);
  EXPECT_EQ(row.busy, 0.5);
  EXPECT_FALSE(row.busy_estimated);
  EXPECT_EQ(row.instances, 2);
  EXPECT_EQ(row.pending, 7);
}

TEST(TopRowsTest, Summaries_AreTakenWhereThereIsNoHistogram) {
  constexpr char kPage[] = R"(# TYPE nv_inference_request_summary_us summary
nv_inference_request_summary_us_count{model="busy",version="1"} 100
nv_inference_request_summary_us{model="busy",version="1",quantile="0.5"} 3000
nv_inference_request_summary_us{model="busy",version="1",quantile="0.99"} 9000
nv_inference_request_summary_us{model="busy",version="2",quantile="0.5"} 5000
nv_inference_request_summary_us{model="busy",version="2",quantile="0.99"} 7000
nv_inference_request_summary_us{model="idle",version="1",quantile="0.5"} Nan
nv_inference_request_summary_us{model="idle",version="1",quantile="0.99"} Nan
)";
  Reading after = At(kSecond, 100, 100);
  after.metrics = *load::ReadMetrics(kPage);
  const auto rows = RowsBetween(nullptr, after);
  EXPECT_EQ(RowOf(rows, "busy").latency_p50, 5e6);
  EXPECT_EQ(RowOf(rows, "busy").latency_p99, 9e6);
  EXPECT_FALSE(RowOf(rows, "idle").latency_p50);
  EXPECT_FALSE(RowOf(rows, "idle").latency_p99);
}

TEST(TopRowsTest, ACounterThatFell_CountsFromZero) {
  const Reading before = At(0, 1000, 1000), after = At(kSecond, 10, 10);
  EXPECT_EQ(RowOf(RowsBetween(&before, after), "busy").rate, 10);
  EXPECT_EQ(RowOf(RowsBetween(nullptr, after), "busy").rate, 0);
}

TEST(TopRowsTest, ModelsThatAreNotReadyAreShown) {
  Reading reading = At(0, 1, 1);
  reading.not_ready["lost"] = "UNAVAILABLE: no file";
  EXPECT_EQ(RowOf(RowsBetween(nullptr, reading), "lost").state, "UNAVAILABLE: no file");
}

TEST(TopRowsTest, Sorting_PutsTheUnknownLast) {
  std::vector<ModelRow> rows(3);
  rows[0].model = "a";
  rows[1].model = "b";
  rows[1].latency_mean = 5;
  rows[2].model = "c";
  rows[2].latency_mean = 9;
  SortRows(rows, SortKey::kLatency);
  EXPECT_EQ(rows[0].model + rows[1].model + rows[2].model, "cba");
  SortRows(rows, SortKey::kName);
  EXPECT_EQ(rows[0].model, "a");
  EXPECT_EQ(*ParseSortKey("busy"), SortKey::kBusy);
  EXPECT_THAT(ParseSortKey("size").status().message(), HasSubstr("none of name, rate"));
}

Screen Filled(std::size_t models) {
  Screen screen;
  screen.address = "127.0.0.1:8000";
  screen.server = "headrace 0.1.0";
  for (std::size_t i = 0; i < models; ++i) {
    ModelRow row;
    row.model = "model_" + std::to_string(i);
    row.rate = 1000;
    row.latency_mean = 1.5e6;
    screen.rows.push_back(row);
  }
  return screen;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

TEST(TopScreenTest, NeverWiderOrHigherThanTheTerminal) {
  Screen screen = Filled(50);
  for (const std::size_t width : {1u, 13u, 40u, 80u, 200u}) {
    for (const std::size_t height : {1u, 3u, 10u}) {
      screen.width = width;
      screen.height = height;
      const auto lines = LinesOf(Paint(screen));
      EXPECT_LE(lines.size(), height);
      for (const std::string& line : lines) {
        std::size_t letters = 0;
        for (const char c : line) {
          letters += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
        }
        EXPECT_LE(letters, width) << line;
      }
    }
  }
  screen.width = 40;
  EXPECT_THAT(Paint(screen), HasSubstr("REQ/S"));
  EXPECT_THAT(Paint(screen), Not(HasSubstr("QUEUE99")));
  screen.width = 80;
  for (const char* const column : {"REQ/S", "P50", "P99", "QUEUE", "BATCH", "BUSY", "FAIL/S"}) {
    EXPECT_THAT(Paint(screen), HasSubstr(column));
  }
}

TEST(TopScreenTest, AMeanInPlaceOfTheMedianIsMarked) {
  Screen screen = Filled(1);
  EXPECT_THAT(TableText(screen), HasSubstr("~1.50 ms"));
  EXPECT_THAT(TableText(screen), HasSubstr("no histograms"));
  screen.rows[0].latency_p50 = 1.2e6;
  screen.rows[0].latency_p99 = 9e6;
  EXPECT_THAT(TableText(screen), HasSubstr(" 1.20 ms"));
  EXPECT_THAT(TableText(screen), Not(HasSubstr("no histograms")));
  EXPECT_THAT(TableJson(screen), HasSubstr(R"("latency_p99_ms":9)"));
}

TEST(TopScreenTest, Keys_ScrollSortAndQuit) {
  Screen screen = Filled(50);
  screen.height = 13;
  EXPECT_THAT(ReadKeys("\x1b[A\x1b[Bsq"),
              ElementsAre(Key::kUp, Key::kDown, Key::kSort, Key::kQuit));
  EXPECT_THAT(ReadKeys("\x1b"), ElementsAre(Key::kQuit));
  EXPECT_THAT(ReadKeys("\x1b[1;5Cx"), ElementsAre());
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(PressKey(Key::kDown, screen));
  }
  EXPECT_EQ(screen.first, 40u);
  EXPECT_TRUE(PressKey(Key::kPageUp, screen));
  EXPECT_EQ(screen.first, 30u);
  EXPECT_TRUE(PressKey(Key::kHome, screen));
  EXPECT_TRUE(PressKey(Key::kUp, screen));
  EXPECT_EQ(screen.first, 0u);
  EXPECT_TRUE(PressKey(Key::kSort, screen));
  EXPECT_EQ(screen.sort, SortKey::kLatency);
  EXPECT_FALSE(PressKey(Key::kQuit, screen));
}

TEST(TopScreenTest, AServerThatWentAwayIsNamed_AndNothingSteersTheTerminal) {
  Screen screen = Filled(1);
  screen.width = 200;
  screen.trouble = "connection refused";
  screen.trouble_s = 3;
  EXPECT_THAT(Paint(screen), HasSubstr("gone for 3 s, looking again: connection refused"));
  screen.rows[0].model = "evil\x1b[2J";
  EXPECT_THAT(Paint(screen), Not(HasSubstr("\x1b")));
  EXPECT_THAT(TableJson(screen), HasSubstr(R"("latency_mean_ms":1.5)"));
  EXPECT_THAT(TableJson(screen), HasSubstr(R"("pending":null)"));
}

}  // namespace
}  // namespace headrace::top
