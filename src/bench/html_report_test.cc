#include "bench/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report_series.h"
#include "bench/svg_axis.h"

namespace headrace::bench {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

LevelResult Level(const std::string& batch, int concurrency, const std::string& round = "1") {
  LevelResult level;
  level.spec.labels = {{"model", "m"}, {"max_batch", batch}, {"round", round}};
  level.spec.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
  level.spec.arrivals.concurrency = concurrency;
  level.throughput = 100 * concurrency;
  level.intended_count = 100;
  for (int i = 1; i <= 100; ++i) {
    level.response_time.histogram.Record(i * kMillisecond);
  }
  level.seconds.resize(3);
  ServerFigures& server = level.server["m"];
  server.success_count = server.inference_count = 100;
  server.execution_count = 50;
  server.batches = {{1, 10}, {2, 45}};
  return level;
}

TEST(ReportSeriesTest, Loads_AreTheAxisWhereTheyVary_AndRoundsArePoints) {
  const auto lines =
      LinesOf({Level("1", 1), Level("1", 4), Level("8", 1), Level("8", 4), Level("8", 4, "2")});
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0].x_name, HasSubstr("at a time"));
  ASSERT_EQ(lines[0].series.size(), 2u);
  EXPECT_EQ(lines[0].series[1].name, "max batch 8");
  ASSERT_EQ(lines[0].series[1].points.size(), 2u);
  EXPECT_THAT(lines[0].series[1].points[1].levels, ElementsAre(3, 4));
}

TEST(ReportSeriesTest, ElseTheLabelWithMostNumbers) {
  const auto lines = LinesOf({Level("1", 4), Level("8", 4), Level("4", 4)});
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].x_name, "max batch");
  ASSERT_EQ(lines[0].series.size(), 1u);
  EXPECT_EQ(lines[0].series[0].points[1].x, 4);
}

TEST(HtmlReportTest, HasItsPlotsAndNothingFromElsewhere) {
  ResultDocument document;
  document.name = "<script>alert(1)</script>";
  document.levels = {Level("1", 1), Level("8", 4)};
  document.levels[0].verdict.stable = false;
  document.levels[0].verdict.lines = {{Remark::kDrift, "a & b <i>"}};
  document.levels[0].response_time.infinite_count = 100;  // percentiles without an end
  document.extension =
      R"({"suite":{"failures":[{"point":"p<1","reason":"no \"such\" batch"}],"warnings":["w"]}})";
  const std::string page = HtmlReport(document);
  EXPECT_THAT(page, AllOf(HasSubstr("&lt;script&gt;"), HasSubstr("a &amp; b &lt;i&gt;"),
                          HasSubstr("p&lt;1"), HasSubstr("no &quot;such&quot; batch"),
                          HasSubstr("prefers-color-scheme:dark"), HasSubstr("@media print"),
                          HasSubstr("role=\"img\"")));
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<script")), Not(HasSubstr("src=")),
                          Not(HasSubstr("href=")), Not(HasSubstr("nan")), Not(HasSubstr(">inf<"))));
}

TEST(HtmlReportTest, NothingMeasured_IsSaid) {
  EXPECT_THAT(HtmlReport(ResultDocument()), HasSubstr("Nothing was measured."));
}

TEST(SvgAxisTest, RoundTicks) {
  EXPECT_THAT(LinearAxis(87).ticks, ElementsAre(0, 20, 40, 60, 80, 100));
  EXPECT_THAT(LogAxis(3, 40).ticks, ElementsAre(2, 5, 10, 20, 50));
  EXPECT_EQ(LinearAxis(0).max, 1);
  EXPECT_TRUE(AxisFor({1, 1000}, 50).logarithmic);
  EXPECT_FALSE(AxisFor({1, 10}, 50).logarithmic);
  EXPECT_EQ(FigureText(1234.5), "1,234");
  EXPECT_EQ(FigureText(0.0456), "0.0456");
  EXPECT_EQ(FigureText(12.34), "12.3");
}

}  // namespace
}  // namespace headrace::bench
