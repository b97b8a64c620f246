#include "bench/svg_flame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

FlameBar BarOf(std::string name, double value, std::vector<FlameBar> children = {}) {
  return {.name = name, .title = name + "!", .value = value, .children = std::move(children)};
}

TEST(FlamePlotTest, ChildrenLieBelow_AsWideAsTheyTook) {
  const std::string svg = FlamePlot(
      {.title = "t", .root = BarOf("all", 100, {BarOf("a", 50), BarOf("b", 25)}), .width = 1000});
  EXPECT_THAT(svg, HasSubstr("viewBox=\"0 0 1000 40\""));
  EXPECT_THAT(svg, HasSubstr("x=\"0.00\" y=\"20\" width=\"500.00\""));
  EXPECT_THAT(svg, HasSubstr("x=\"500.00\" y=\"20\" width=\"250.00\""));
  EXPECT_THAT(svg, HasSubstr("<title>b!</title>"));
  EXPECT_THAT(svg, Not(HasSubstr("--paper:")));  // the page has them
}

TEST(FlamePlotTest, LeavesOutWhatCannotBeSeen_AndCutsNames) {
  const std::string svg = FlamePlot(
      {.title = "t",
       .root = BarOf("all", 1'000'000,
                     {BarOf("speck", 1), BarOf("a name of many letters", 50'000), BarOf("x", 3e9)}),
       .width = 1000});
  EXPECT_THAT(svg, Not(HasSubstr("speck")));
  EXPECT_THAT(svg, HasSubstr(">a nam\u2026</text>"));
  EXPECT_THAT(svg, HasSubstr("width=\"950.00\""));  // no wider than what called it
}

TEST(FlamePlotTest, AFileOfItsOwn_HasColoursAndEscapesText) {
  const std::string svg = FlamePlot(
      {.title = "\"t\"", .root = BarOf("<script>", 1), .alone = true, .heading = "m & n"});
  EXPECT_THAT(svg, HasSubstr("--paper:"));
  EXPECT_THAT(svg, HasSubstr("m &amp; n"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
}

TEST(FlamePlotTest, OfNothing_IsEmpty) {
  EXPECT_THAT(FlamePlot({.title = "t", .root = {}}), Not(HasSubstr("<rect")));
}

}  // namespace
}  // namespace headrace::bench
