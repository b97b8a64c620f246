#include "torchserve/metric_line.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace headrace::torchserve {
namespace {

using telemetry::MetricKind;

constexpr std::string_view kMark = "[METRICS]";
constexpr std::size_t kTextByteSizeMax = 1024;
constexpr std::size_t kDimensionCountMax = 20;

// What stands before `separator`, which goes too; all of `rest` if there is none.
std::string_view Cut(std::string_view& rest, std::string_view separator) {
  const std::size_t place = rest.find(separator);
  const std::string_view head = rest.substr(0, place);
  rest =
      place == std::string_view::npos ? std::string_view() : rest.substr(place + separator.size());
  return head;
}

template <typename Number>
bool ReadNumber(std::string_view text, Number& number) {
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  return fault == std::errc() && end == text.data() + text.size();
}

Status Wrong(std::string_view what) { return InvalidArgument("a line of metrics {}", what); }

Status ReadDimensions(std::string_view text, MetricLine& line) {
  while (!text.empty()) {
    std::string_view one = Cut(text, ",");
    const std::string_view name = Cut(one, ":");
    if (name.empty() || line.dimensions.size() >= kDimensionCountMax) {
      return Wrong("has dimensions that are none, or too many");
    }
    line.dimensions.emplace_back(name, one);
  }
  return OkStatus();
}

Status ReadKind(std::string_view text, MetricLine& line) {
  if (text == "COUNTER") {
    line.kind = MetricKind::kCounter;
  } else if (text == "GAUGE") {
    line.kind = MetricKind::kGauge;
  } else if (text == "HISTOGRAM") {
    line.kind = MetricKind::kHistogram;
  } else {
    return Wrong("has a type that there is not");
  }
  return OkStatus();
}

}  // namespace

Result<MetricLine> ParseMetricLine(std::string_view text) {
  if (text.size() > MetricLine::kByteSizeMax) {
    return Wrong("is too long");
  }
  if (text.starts_with(kMark)) {
    text.remove_prefix(kMark.size());
  }
  MetricLine line;
  std::string_view number = Cut(text, "|#");
  std::string_view name = Cut(number, ":");
  // The last dot: a unit has none.
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == name.size()) {
    return Wrong("does not begin with a name and a unit");
  }
  line.name = name.substr(0, dot);
  line.unit = name.substr(dot + 1);
  if (!ReadNumber(number, line.value) || !std::isfinite(line.value)) {
    return Wrong("has no number");
  }
  HEADRACE_RETURN_IF_ERROR(ReadDimensions(Cut(text, "|#"), line));
  if (text.starts_with("type:")) {
    HEADRACE_RETURN_IF_ERROR(ReadKind(Cut(text, "|#").substr(5), line));
  }
  if (!text.starts_with("hostname:")) {
    return Wrong("names no host");
  }
  line.hostname = Cut(text, ",").substr(9);
  if (!ReadNumber(Cut(text, ","), line.timestamp_s)) {
    return Wrong("has no time");
  }
  line.request_ids = text;
  return line;
}

std::string JavaDouble(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "+Inf" : "-Inf";
  }
  const double size = std::fabs(value);
  if (value == 0 || (size >= 1e-3 && size < 1e7)) {
    std::string text = fmt::format("{}", value);
    return text.find('.') == std::string::npos ? text + ".0" : text;
  }
  // The shortest digits that name it, one of them in front of the point.
  std::string text(32, '\0');
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific);
  text.resize(static_cast<std::size_t>(end.ptr - text.data()));
  const std::size_t e = text.find('e');
  std::string digits = text.substr(0, e);
  int exponent = 0;
  const std::size_t sign = text[e + 1] == '+' ? e + 2 : e + 1;
  (void)std::from_chars(text.data() + sign, text.data() + text.size(), exponent);
  if (digits.find('.') == std::string::npos) {
    digits += ".0";
  }
  return fmt::format("{}E{}", digits, exponent);
}

std::string FormatMetricLine(
    std::string_view name, std::string_view unit, double value,
    const std::vector<std::pair<std::string_view, std::string_view>>& dimensions,
    std::string_view hostname, std::string_view request_ids, std::int64_t timestamp_s) {
  std::string line;
  line.reserve(160 + request_ids.size());
  line.append(name).append(".").append(unit).append(":").append(JavaDouble(value)).append("|#");
  char separator = 0;
  for (const auto& [dimension, text] : dimensions) {
    if (separator != 0) {
      line += separator;
    }
    separator = ',';
    line.append(dimension).append(":").append(text.substr(0, kTextByteSizeMax));
  }
  line.append("|#hostname:").append(hostname);
  if (!request_ids.empty()) {
    line.append(",requestID:").append(request_ids.substr(0, 8 * kTextByteSizeMax));
  }
  line.append(",timestamp:").append(fmt::format_int(timestamp_s).c_str());
  return line;
}

}  // namespace headrace::torchserve
