#include "bench/svg_flame.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "bench/html_page.h"
#include "bench/svg_axis.h"
#include "bench/svg_plot.h"

namespace headrace::bench {
namespace {

constexpr double kRowHeight = 20;
constexpr double kWidthMin = 0.33;  // of a bar that is drawn
constexpr double kHeadHeight = 34;  // of the heading
// Of text in bars: estimated, since only the viewer knows the font.
constexpr double kCharacterWidth = 6.4;
constexpr double kTextPadding = 5;
constexpr std::size_t kCharactersMin = 3;

constexpr char kStyle[] =
    ".flame rect{stroke:var(--card);stroke-width:.8}.flame .odd{fill-opacity:.84}"
    ".flame text{font-size:11.5px;fill:var(--paper);pointer-events:none}"
    ".flame g:hover rect{stroke:var(--ink);stroke-width:1.5}"
    "@media print{.flame text{fill:#fff}}";

constexpr char kStyleAlone[] =
    "svg{background:var(--card);font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,"
    "\"Helvetica Neue\",Arial,\"DejaVu Sans\",sans-serif}"
    ".heading{font-size:15px;font-weight:600;fill:var(--ink)}";

// The characters of UTF-8 text are not cut in two.
std::string Clipped(std::string_view text, double width) {
  const double room = (width - 2 * kTextPadding) / kCharacterWidth;
  if (room < static_cast<double>(kCharactersMin)) {
    return "";
  }
  const auto characters = static_cast<std::size_t>(room);
  if (text.size() <= characters) {
    return std::string(text);
  }
  std::size_t end = characters - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return std::string(text.substr(0, end)) + "\u2026";
}

class Writer {
 public:
  explicit Writer(const FlamePlotSpec& spec) : spec_(spec), top_(spec.alone ? kHeadHeight : 0) {}

  std::string Write() {
    if (spec_.root.value > 0) {
      Bar(spec_.root, 0, spec_.width, 0, 0);
    }
    const double height = top_ + (depth_ + 1) * kRowHeight;
    std::string colors;
    for (int i = 0; i < kPlotColorCount; ++i) {
      colors += fmt::format(".flame .c{0}{{fill:var(--c{0})}}", i);
    }
    std::string text = fmt::format(
        "<svg viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\" class=\"flame\" "
        "xmlns=\"http://www.w3.org/2000/svg\">\n<style>{}{}{}{}</style>\n",
        spec_.width, height, Escaped(spec_.title), spec_.alone ? PageColors() : "",
        spec_.alone ? kStyleAlone : "", kStyle, colors);
    if (spec_.alone) {
      text += fmt::format(
          "<g><text x=\"6\" y=\"22\" style=\"fill:var(--ink)\" class=\"heading\">"
          "{}</text></g>\n",
          Escaped(spec_.heading));
    }
    return text + bars_ + "</svg>\n";
  }

 private:
  void Bar(const FlameBar& bar, double x, double width, int depth, std::size_t number) {
    depth_ = std::max(depth_, depth);
    const double y = top_ + depth * kRowHeight;
    bars_ += fmt::format(
        "<g><title>{}</title><rect x=\"{:.2f}\" y=\"{:.0f}\" width=\"{:.2f}\" height=\"{:.0f}\" "
        "class=\"c{}{}\"/>",
        Escaped(bar.title), x, y, width, kRowHeight, bar.color % kPlotColorCount,
        number % 2 == 1 ? " odd" : "");
    if (const std::string name = Clipped(bar.name, width); !name.empty()) {
      bars_ += fmt::format("<text x=\"{:.2f}\" y=\"{:.1f}\">{}</text>", x + kTextPadding,
                           y + kRowHeight - 6, Escaped(name));
    }
    bars_ += "</g>\n";
    double left = x;
    std::size_t drawn = 0;
    for (const FlameBar& child : bar.children) {
      // Calls that ran side by side may take more than what called them.
      const double child_width = std::min(width * child.value / bar.value, x + width - left);
      if (child_width >= kWidthMin) {
        Bar(child, left, child_width, depth + 1, drawn++);
      }
      left += child_width;
    }
  }

  const FlamePlotSpec& spec_;
  const double top_;
  std::string bars_;
  int depth_ = 0;
};

}  // namespace

std::string FlamePlot(const FlamePlotSpec& spec) { return Writer(spec).Write(); }

}  // namespace headrace::bench
