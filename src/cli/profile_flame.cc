#include "cli/profile_flame.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "bench/html_page.h"
#include "bench/svg_axis.h"
#include "bench/svg_flame.h"

namespace headrace::cli {
namespace {

using bench::FigureText;
using profiling::FlameFrame;

// By FlameFrame::Kind: index of the page's colours, and what the legend says.
struct KindOfBar {
  int color;
  const char* name;
};
constexpr KindOfBar kKinds[] = {{7, "server"},    {4, "model's source"},
                                {0, "operators"}, {1, "copies and conversions"},
                                {3, "GPU"},       {2, "functions (sampled)"}};

constexpr std::string_view kMadeUp = "___torch_mangle_";

std::string Milliseconds(double nanos) {
  return FigureText(nanos / static_cast<double>(kMillisecond)) + " ms";
}

// Of a path in a model's archive the file is enough: bars are short. Where TorchScript made up the
// file's name, because several classes have one, the folder has the class's.
std::string NameOf(const FlameFrame& frame) {
  if (frame.kind != FlameFrame::Kind::kSource) {
    return frame.name;
  }
  std::size_t begin = frame.name.rfind('/') + 1;
  if (begin > 1 && frame.name.compare(begin, kMadeUp.size(), kMadeUp) == 0) {
    begin = frame.name.rfind('/', begin - 2) + 1;
  }
  return frame.name.substr(begin);
}

bench::FlameBar BarOf(const FlameFrame& frame, Nanos all) {
  const auto total = static_cast<double>(frame.total);
  const double share = all > 0 ? total / static_cast<double>(all) : 0;
  const auto count = static_cast<double>(frame.count);
  const std::string calls = frame.count > 1 ? fmt::format(", {} times, {} each", FigureText(count),
                                                          Milliseconds(total / count))
                                            : "";
  bench::FlameBar bar{
      .name = NameOf(frame),
      .title = fmt::format("{}: {}, {:.1f} %, {} in itself{}", frame.name, Milliseconds(total),
                           100 * share, Milliseconds(static_cast<double>(frame.self())), calls),
      .value = total,
      .color = kKinds[static_cast<std::size_t>(frame.kind)].color};
  for (const FlameFrame& child : frame.children) {
    bar.children.push_back(BarOf(child, all));
  }
  return bar;
}

// Processor time is no part of the time of executions: each has shares of its own.
bench::FlameBar BarOfAll(const FlameFrame& flame) {
  const auto is_cpu = [](const FlameFrame& frame) { return frame.name == profiling::kCpuFrame; };
  Nanos executions = flame.total;
  for (const FlameFrame& child : flame.children) {
    executions -= is_cpu(child) ? child.total : 0;
  }
  bench::FlameBar bar = BarOf({.name = flame.name, .total = flame.total}, flame.total);
  for (const FlameFrame& child : flame.children) {
    bar.children.push_back(BarOf(child, is_cpu(child) ? child.total : executions));
  }
  return bar;
}

bench::FlamePlotSpec PlotOf(const FlameFrame& flame) {
  return {.title = "Flame graph: where the time of the model's executions goes",
          .root = BarOfAll(flame)};
}

bool HasKind(const FlameFrame& frame, FlameFrame::Kind kind) {
  return frame.kind == kind ||
         std::any_of(frame.children.begin(), frame.children.end(),
                     [kind](const FlameFrame& child) { return HasKind(child, kind); });
}

// As bench::HtmlPage's legends, with the colours of this plot.
std::string Legend(const FlameFrame& flame) {
  std::string html = "<ul class=\"legend\">\n";
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    if (HasKind(flame, static_cast<FlameFrame::Kind>(i))) {
      html += fmt::format(
          "<li><svg viewBox=\"0 0 26 14\" aria-hidden=\"true\"><rect x=\"6\" y=\"1\" width=\"13\" "
          "height=\"12\" class=\"bar c{}\"/></svg>{}</li>\n",
          kKinds[i].color, kKinds[i].name);
    }
  }
  return html + "</ul>\n";
}

}  // namespace

std::string FlameSvg(const FlameFrame& flame) {
  bench::FlamePlotSpec plot = PlotOf(flame);
  plot.alone = true;
  plot.heading = flame.children.empty()
                     ? "Nothing was executed while the model was watched"
                     : fmt::format("{}: {} of executions", flame.children.front().name,
                                   Milliseconds(static_cast<double>(flame.children.front().total)));
  return bench::FlamePlot(plot);
}

std::string FlameFigure(const FlameFrame& flame) {
  return "<div class=\"scroll\"><div style=\"min-width:900px\">" + bench::FlamePlot(PlotOf(flame)) +
         "</div></div>\n" + Legend(flame);
}

}  // namespace headrace::cli
