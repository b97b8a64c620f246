#include "telemetry/prometheus.h"

#include <fmt/format.h>

#include <cmath>

#include "base/check.h"

namespace headrace::telemetry {
namespace {

std::string_view KindName(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return "counter";
    case MetricKind::kGauge:
      return "gauge";
    case MetricKind::kHistogram:
      return "histogram";
    case MetricKind::kSummary:
      return "summary";
  }
  return "untyped";
}

void AppendEscaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\\' || (quotes && c == '"')) {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
}

std::string FormatValue(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "+Inf" : "-Inf";
  }
  return fmt::format("{}", value);
}

}  // namespace

void PrometheusWriter::Family(std::string_view name, MetricKind kind, std::string_view help) {
  family_ = name;
  page_ += "# HELP ";
  page_ += name;
  page_ += ' ';
  AppendEscaped(page_, help, /*quotes=*/false);
  fmt::format_to(std::back_inserter(page_), "\n# TYPE {} {}\n", name, KindName(kind));
}

void PrometheusWriter::Sample(const Labels& labels, double value) {
  Line("", labels, "", FormatValue(value));
}

void PrometheusWriter::Sample(const Labels& labels, std::uint64_t value) {
  Line("", labels, "", fmt::format_int(value).c_str());
}

void PrometheusWriter::HistogramSample(const Labels& labels, const Histogram& histogram,
                                       std::span<const std::uint64_t> bounds, double scale) {
  std::vector<std::uint64_t> counts(bounds.size());
  const std::uint64_t total = histogram.CumulativeCounts(bounds, counts);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    // 12 digits hide the rounding of the scale: 0.003, not 0.0030000000000000001.
    const double bound = static_cast<double>(bounds[i]) * scale;
    Line("_bucket", labels, fmt::format("le=\"{:.12g}\"", bound),
         fmt::format_int(counts[i]).c_str());
  }
  Line("_bucket", labels, "le=\"+Inf\"", fmt::format_int(total).c_str());
  Line("_sum", labels, "", fmt::format("{:.15g}", static_cast<double>(histogram.sum()) * scale));
  Line("_count", labels, "", fmt::format_int(total).c_str());
}

void PrometheusWriter::HistogramSample(const Labels& labels, std::span<const double> bounds,
                                       std::span<const std::uint64_t> counts, double sum) {
  HEADRACE_CHECK(counts.size() == bounds.size() + 1);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    total += counts[i];
    Line("_bucket", labels, fmt::format("le=\"{:.12g}\"", bounds[i]),
         fmt::format_int(total).c_str());
  }
  total += counts.back();
  Line("_bucket", labels, "le=\"+Inf\"", fmt::format_int(total).c_str());
  Line("_sum", labels, "", fmt::format("{:.15g}", sum));
  Line("_count", labels, "", fmt::format_int(total).c_str());
}

std::string PrometheusWriter::Take() {
  family_.clear();
  return std::exchange(page_, {});
}

void PrometheusWriter::Line(std::string_view suffix, const Labels& labels,
                            std::string_view extra_label, std::string_view value) {
  HEADRACE_CHECK(!family_.empty());
  page_ += family_;
  page_ += suffix;
  char separator = '{';
  for (const auto& [name, text] : labels) {
    page_ += separator;
    page_ += name;
    page_ += "=\"";
    AppendEscaped(page_, text, /*quotes=*/true);
    page_ += '"';
    separator = ',';
  }
  if (!extra_label.empty()) {
    page_ += separator;
    page_ += extra_label;
    separator = ',';
  }
  if (separator == ',') {
    page_ += '}';
  }
  page_ += ' ';
  page_ += value;
  page_ += '\n';
}

}  // namespace headrace::telemetry
