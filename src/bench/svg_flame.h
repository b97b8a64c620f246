// A flame graph as SVG text: frames within frames, as wide as what they took. Pure.
#ifndef HEADRACE_BENCH_SVG_FLAME_H_
#define HEADRACE_BENCH_SVG_FLAME_H_

#include <string>
#include <vector>

namespace headrace::bench {

struct FlameBar {
  std::string name{};
  std::string title{};  // shown by the pointer, read by screen readers
  double value = 0;     // with its children, which are drawn from its left end on
  int color = 0;        // index of the page's colours
  std::vector<FlameBar> children{};
};

struct FlamePlotSpec {
  std::string title{};  // what is seen in it, in one sentence: for screen readers
  FlameBar root{};      // drawn at the top
  int width = 1120;
  // A file of its own: with the page's colours in it. Else the page has them.
  bool alone = false;
  std::string heading{};  // alone: above the bars
};
// Bars of less than a third of a pixel are left out.
std::string FlamePlot(const FlamePlotSpec& spec);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SVG_FLAME_H_
