#include "tune/multi_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::tune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

MultiReport Report() {
  const Configuration small{.shape = {1, 1}}, large{.shape = {2, 1}, .batch_max = 4};
  MultiReport report;
  for (const char* name : {"a<1>", "b"}) {
    MultiPart part{.name = name, .part = 0.5};
    part.choices = {{.configuration = small, .capacity = 40},
                    {.configuration = large, .capacity = 90}};
    part.cuts = {{CutRule::kSlaOfBatch, "batch 8 & more", "too slow", 3}};
    part.times.Add({.shape = {1, 1}}, 1,
                   {.quantiles = {kMillisecond}, .count = 9, .mean = 1e6, .rate = 900});
    report.models.push_back(std::move(part));
  }
  report.divisions = {{.division = {.configurations = {large, small}, .rate = 80, .cores = 3},
                       .rate = 70,
                       .rate_missed = 75,
                       .missed = "b: p99 120 ms, and its SLA is 100 ms"},
                      {.division = {.configurations = {small, large}, .rate = 60, .cores = 3}}};
  report.met = true;
  return report;
}

TEST(MultiReportHtml, ShowsTheDivisionsAndEachModelsChoices) {
  const std::string page = MultiReportHtml(Report());
  EXPECT_THAT(page, AllOf(HasSubstr("a&lt;1&gt;"), Not(HasSubstr("a<1>")), HasSubstr("70.0/s"),
                          HasSubstr("what binds: at 75.0/s"), HasSubstr("batch 8 &amp; more"),
                          HasSubstr("chosen"), HasSubstr("not measured")));
}

TEST(MultiReportHtml, SaysThatNothingWasFound) {
  MultiReport report = Report();
  report.met = false;
  report.divisions.clear();
  report.models[0].choices.clear();
  report.notes = {"b: none & never"};
  const std::string page = MultiReportHtml(report);
  EXPECT_THAT(page, AllOf(HasSubstr("nothing was found"), HasSubstr("none &amp; never")));
}

}  // namespace
}  // namespace headrace::tune
