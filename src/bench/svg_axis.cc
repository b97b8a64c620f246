#include "bench/svg_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace headrace::bench {

double Axis::At(double value) const {
  if (!(max > min)) {
    return 0;
  }
  const double part = logarithmic ? (std::log(std::max(value, min)) - std::log(min)) /
                                        (std::log(max) - std::log(min))
                                  : (value - min) / (max - min);
  return std::clamp(part, 0.0, 1.0);
}

Axis LinearAxis(double max, int ticks_wanted) {
  Axis axis;
  if (!(max > 0) || !std::isfinite(max)) {
    max = 1;
  }
  const double raw = max / ticks_wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (step >= raw * 0.999) {
      break;
    }
  }
  const int count = static_cast<int>(std::ceil(max / step - 1e-9));
  axis.max = step * count;
  for (int i = 0; i <= count; ++i) {
    axis.ticks.push_back(step * i);
  }
  return axis;
}

Axis LogAxis(double min, double max) {
  Axis axis;
  axis.logarithmic = true;
  min = min > 0 && std::isfinite(min) ? min : 1;
  max = std::isfinite(max) ? std::max(max, min * 1.001) : min * 10;
  const bool few = max / min < 200;
  const double factors[] = {1, 2, 5};
  double below = 0, above = 0;
  for (int power = static_cast<int>(std::floor(std::log10(min))) - 1; power < 40 && above == 0;
       ++power) {
    for (int i = 0; i < (few ? 3 : 1) && above == 0; ++i) {
      const double tick = factors[i] * std::pow(10.0, power);
      if (tick <= min * 1.0001) {
        below = tick;
        axis.ticks.assign(1, tick);
      } else {
        axis.ticks.push_back(tick);
        above = tick >= max * 0.9999 ? tick : 0;
      }
    }
  }
  axis.min = below;
  axis.max = above;
  return axis;
}

Axis AxisFor(const std::vector<double>& values, double spread_max) {
  double min = 0, max = 0;
  for (const double value : values) {
    if (value > 0 && std::isfinite(value)) {
      min = min == 0 ? value : std::min(min, value);
      max = std::max(max, value);
    }
  }
  return min > 0 && max / min > spread_max ? LogAxis(min, max) : LinearAxis(max);
}

Axis ValuesAxis(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  values.erase(values.begin(),
               std::find_if(values.begin(), values.end(), [](double value) { return value > 0; }));
  Axis axis;
  axis.logarithmic = true;
  if (values.empty()) {
    return LinearAxis(1);
  }
  const double room = values.size() == 1 ? 2 : std::pow(values.back() / values.front(), 0.06);
  axis.min = values.front() / room;
  axis.max = values.back() * room;
  // Labels that would touch are left out: the last one stays.
  constexpr double kApart = 0.075;
  double last = 2;
  for (auto value = values.rbegin(); value != values.rend(); ++value) {
    if (last - axis.At(*value) >= kApart) {
      axis.ticks.push_back(*value);
      last = axis.At(*value);
    }
  }
  std::reverse(axis.ticks.begin(), axis.ticks.end());
  return axis;
}

std::string FigureText(double value) {
  if (!std::isfinite(value)) {
    return value > 0 ? "\u221e" : "\u2013";
  }
  const double size = std::abs(value);
  if (size == 0) {
    return "0";
  }
  if (size < 99.95) {
    const int magnitude = static_cast<int>(std::floor(std::log10(size) + 1e-12));
    const int decimals = std::clamp(2 - magnitude, 0, 6);
    std::string text = fmt::format("{:.{}f}", value, decimals);
    if (text.find('.') != std::string::npos) {
      text.erase(text.find_last_not_of('0') + 1);
      if (text.ends_with('.')) {
        text.pop_back();
      }
    }
    return text;
  }
  std::string text = fmt::format("{:.0f}", value);
  const std::size_t sign = value < 0 ? 1 : 0;
  for (std::size_t at = text.size(); at > sign + 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

std::string DurationText(double nanos) {
  if (!std::isfinite(nanos)) {
    return "no answer";
  }
  if (nanos >= 1e9) {
    return FigureText(nanos / 1e9) + " s";
  }
  return nanos >= 1e6 ? FigureText(nanos / 1e6) + " ms" : FigureText(nanos / 1e3) + " \u00b5s";
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') {
          escaped += c;
        }
    }
  }
  return escaped;
}

}  // namespace headrace::bench
