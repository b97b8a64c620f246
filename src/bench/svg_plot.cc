#include "bench/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace headrace::bench {
namespace {

constexpr double kLeft = 58, kRight = 18, kTop = 14, kBottom = 42;

std::string Open(int width, double height, const std::string& title) {
  return fmt::format(
      "<svg viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"{}\" "
      "xmlns=\"http://www.w3.org/2000/svg\">\n",
      width, height, Escaped(title));
}

std::string Text(double x, double y, std::string_view anchor, std::string_view text,
                 std::string_view classes = "tick") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                     x, y, anchor, classes, Escaped(text));
}

std::string Line(double x1, double y1, double x2, double y2, std::string_view classes) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1, x2,
      y2, classes);
}

// Circle, square, triangle, diamond.
std::string Marker(int form, double x, double y, const std::string& classes,
                   const std::string& title) {
  const std::string inside = title.empty() ? "" : fmt::format("<title>{}</title>", Escaped(title));
  switch (form % 4) {
    case 0:
      return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" class=\"{}\">{}</circle>\n",
                         x, y, classes, inside);
    case 1:
      return fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"7\" height=\"7\" class=\"{}\">{}</rect>\n",
          x - 3.5, y - 3.5, classes, inside);
    case 2:
      return fmt::format("<path d=\"M{:.1f} {:.1f}l4.5 8h-9z\" class=\"{}\">{}</path>\n", x,
                         y - 4.5, classes, inside);
    default:
      return fmt::format(
          "<path d=\"M{:.1f} {:.1f}l4.8 4.8l-4.8 4.8l-4.8 -4.8z\" class=\"{}\">{}</path>\n", x,
          y - 4.8, classes, inside);
  }
}

std::string ColorClass(int color) { return fmt::format("c{}", color % kPlotColorCount); }

class LinePlotWriter {
 public:
  explicit LinePlotWriter(const LinePlotSpec& spec)
      : spec_(spec), bottom_(spec.height - kBottom), right_(spec.width - kRight) {}

  std::string Write() {
    out_ = Open(spec_.width, spec_.height, spec_.title);
    Grid();
    if (spec_.limit) {
      const double y = Y(spec_.limit->first);
      out_ += Line(kLeft, y, right_, y, "limit");
      out_ += Text(right_, y - 5, "end", spec_.limit->second, "limit-text");
    }
    for (const PlotSeries& series : spec_.series) {
      Series(series);
    }
    return out_ + "</svg>\n";
  }

 private:
  double X(double value) const { return kLeft + spec_.x.At(value) * (right_ - kLeft); }
  double Y(double value) const { return bottom_ - spec_.y.At(value) * (bottom_ - kTop); }

  void Grid() {
    for (const double tick : spec_.y.ticks) {
      out_ +=
          Line(kLeft, Y(tick), right_, Y(tick), tick == spec_.y.ticks.front() ? "axis" : "grid");
      out_ += Text(kLeft - 8, Y(tick) + 4, "end", FigureText(tick));
    }
    for (std::size_t i = 0; i < spec_.x.ticks.size(); ++i) {
      const double x = X(spec_.x.ticks[i]);
      out_ += Line(x, bottom_, x, bottom_ + 4, "axis");
      out_ += Text(
          x, bottom_ + 18, "middle",
          i < spec_.x_tick_texts.size() ? spec_.x_tick_texts[i] : FigureText(spec_.x.ticks[i]));
    }
    out_ += Text((kLeft + right_) / 2, spec_.height - 6, "middle", spec_.x_name, "axis-name");
  }

  void Series(const PlotSeries& series) {
    const std::string color = ColorClass(series.color);
    std::string path;
    bool pen_down = false;
    for (const PlotPoint& point : series.points) {
      if (!std::isfinite(point.y)) {
        pen_down = false;
        continue;
      }
      const std::string at = fmt::format("{:.1f} {:.1f}", X(point.x), Y(point.y));
      if (pen_down && series.steps) {
        path += fmt::format("H{:.1f}", X(point.x));
      }
      path += (pen_down ? "L" : "M") + at;
      pen_down = true;
    }
    if (series.line && series.points.size() > 1) {
      out_ += fmt::format("<path d=\"{}\" class=\"line {}{}\"/>\n", path, color,
                          series.color >= kPlotColorCount ? " dashed" : "");
    }
    for (const PlotPoint& point : series.points) {
      if (!std::isfinite(point.y)) {
        continue;
      }
      if (point.high > point.low && std::isfinite(point.high)) {
        out_ += Line(X(point.x), Y(point.low), X(point.x), Y(point.high), "whisker " + color);
      }
      if (series.markers || series.points.size() == 1) {
        out_ += Marker(series.color, X(point.x), Y(point.y), "dot " + color, point.title);
      }
    }
  }

  const LinePlotSpec& spec_;
  const double bottom_, right_;
  std::string out_;
};

}  // namespace

std::string LinePlot(const LinePlotSpec& spec) { return LinePlotWriter(spec).Write(); }

std::string StackedBars(const StackedBarsSpec& spec) {
  constexpr double kRow = 26, kBar = 16, kLetter = 6.1;
  std::size_t longest = 0;
  for (const std::string& row : spec.rows) {
    longest = std::max(longest, row.size());
  }
  const double left =
      std::clamp(static_cast<double>(longest) * kLetter + 14, 40.0, spec.width * 0.42);
  const double right = spec.width - (spec.row_ends.empty() ? kRight : 64);
  double max = 0;
  for (const auto& row : spec.values) {
    max = std::max(max, std::accumulate(row.begin(), row.end(), 0.0));
  }
  const Axis axis = LinearAxis(max);
  const double bottom = kTop + kRow * static_cast<double>(spec.rows.size());
  const auto at = [&](double value) { return left + axis.At(value) * (right - left); };
  std::string out = Open(spec.width, bottom + kBottom, spec.title);
  for (const double tick : axis.ticks) {
    out += Line(at(tick), kTop, at(tick), bottom, tick == 0 ? "axis" : "grid");
    out += Text(at(tick), bottom + 16, "middle", FigureText(tick));
  }
  for (std::size_t i = 0; i < spec.rows.size(); ++i) {
    const double y = kTop + kRow * static_cast<double>(i) + (kRow - kBar) / 2;
    const std::size_t shown = static_cast<std::size_t>((left - 14) / kLetter);
    const std::string& name = spec.rows[i];
    out += Text(left - 8, y + 12, "end",
                name.size() > shown + 1 ? name.substr(0, shown) + "\u2026" : name);
    double sum = 0;
    for (std::size_t part = 0; part < spec.values[i].size(); ++part) {
      const double from = sum;
      sum += std::max(0.0, spec.values[i][part]);
      if (sum > from) {
        out += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.0f}\" class=\"bar {}\">"
            "<title>{}: {} {}</title></rect>\n",
            at(from), y, std::max(0.5, at(sum) - at(from)), kBar,
            ColorClass(static_cast<int>(part)), Escaped(name), Escaped(spec.parts[part]),
            FigureText(sum - from));
      }
    }
    if (i < spec.row_ends.size()) {
      out += Text(at(sum) + 6, y + 12, "start", spec.row_ends[i]);
    }
  }
  out += Text((left + right) / 2, bottom + 34, "middle", spec.x_name, "axis-name");
  return out + "</svg>\n";
}

std::string Columns(const ColumnsSpec& spec) {
  const double bottom = spec.height - kBottom, right = spec.width - kRight;
  const Axis axis = LinearAxis(
      spec.values.empty() ? 1 : *std::max_element(spec.values.begin(), spec.values.end()), 4);
  const auto at = [&](double value) { return bottom - axis.At(value) * (bottom - kTop); };
  std::string out = Open(spec.width, spec.height, spec.title);
  for (const double tick : axis.ticks) {
    out += Line(kLeft, at(tick), right, at(tick), tick == 0 ? "axis" : "grid");
    out += Text(kLeft - 8, at(tick) + 4, "end", FigureText(tick));
  }
  const double step =
      (right - kLeft) / static_cast<double>(std::max<std::size_t>(1, spec.names.size()));
  const double width = std::min(46.0, step * 0.7);
  const std::size_t every = 1 + spec.names.size() / 24;
  for (std::size_t i = 0; i < spec.names.size(); ++i) {
    const double middle = kLeft + step * (static_cast<double>(i) + 0.5);
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" class=\"bar {}\">"
        "<title>{}</title></rect>\n",
        middle - width / 2, at(spec.values[i]), width, bottom - at(spec.values[i]),
        ColorClass(spec.color), Escaped(i < spec.titles.size() ? spec.titles[i] : spec.names[i]));
    if (i % every == 0) {
      out += Text(middle, bottom + 18, "middle", spec.names[i]);
    }
  }
  out += Text((kLeft + right) / 2, spec.height - 6, "middle", spec.x_name, "axis-name");
  return out + "</svg>\n";
}

}  // namespace headrace::bench
