#include "torchserve/metrics_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "torchserve/metric_line.h"

namespace headrace::torchserve {
namespace {

using telemetry::MetricKind;

// 100 us to 60 s, in nanoseconds.
constexpr std::uint64_t kDurationBounds[] = {
    100'000,       250'000,       500'000,       1'000'000,      2'500'000,      5'000'000,
    10'000'000,    25'000'000,    50'000'000,    100'000'000,    250'000'000,    500'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000};
constexpr std::size_t kDurationBoundCount = std::size(kDurationBounds);

void AppendEscaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') {
      out += '\\';
    }
    out += c;
  }
}

bool Has(const MetricNames& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

void MetricsPage::Family(const MetricSpec& spec) {
  Family(spec.name, spec.kind,
         fmt::format("Torchserve prometheus {} metric with unit: {}", MetricKindName(spec.kind),
                     spec.unit));
}

void MetricsPage::Family(std::string_view name, MetricKind kind, std::string_view help) {
  family_ = name;
  heading_ = fmt::format("# HELP {} ", name);
  for (const char c : help) {
    heading_ += c == '\n'   ? std::string("\\n")
                : c == '\\' ? std::string("\\\\")
                            : std::string(1, c);
  }
  fmt::format_to(std::back_inserter(heading_), "\n# TYPE {} {}\n", name, MetricKindName(kind));
  if (names_.empty()) {
    page_ += std::exchange(heading_, {});
  }
}

bool MetricsPage::Wanted(std::string_view suffix) const {
  return names_.empty() || Has(names_, family_) ||
         (!suffix.empty() && Has(names_, family_ + std::string(suffix)));
}

void MetricsPage::Line(std::string_view suffix, std::span<const std::string> dimensions,
                       std::span<const std::string> values, std::string_view bound, double value) {
  HEADRACE_CHECK(dimensions.size() == values.size());
  if (!Wanted(suffix)) {
    return;
  }
  page_ += std::exchange(heading_, {});
  page_.append(family_).append(suffix);
  if (!dimensions.empty() || !bound.empty()) {
    page_ += '{';
    for (std::size_t i = 0; i < dimensions.size(); ++i) {
      page_.append(dimensions[i]).append("=\"");
      AppendEscaped(page_, values[i]);
      page_ += "\",";
    }
    if (!bound.empty()) {
      page_.append("le=\"").append(bound).append("\",");
    }
    page_ += '}';
  }
  page_.append(" ").append(JavaDouble(value)).append("\n");
}

void MetricsPage::Sample(std::span<const std::string> dimensions,
                         std::span<const std::string> values, double value) {
  Line({}, dimensions, values, {}, value);
}

void MetricsPage::Histogram(std::span<const std::string> dimensions,
                            std::span<const std::string> values, std::span<const double> bounds,
                            std::span<const std::uint64_t> counts, double sum) {
  HEADRACE_CHECK(counts.size() == bounds.size() + 1);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    total += counts[i];
    const std::string bound = i < bounds.size() ? JavaDouble(bounds[i]) : "+Inf";
    Line("_bucket", dimensions, values, bound, static_cast<double>(total));
  }
  Line("_count", dimensions, values, {}, static_cast<double>(total));
  Line("_sum", dimensions, values, {}, sum);
}

void MetricsPage::Histogram(std::span<const std::string> dimensions,
                            std::span<const std::string> values,
                            const telemetry::Histogram& nanoseconds) {
  std::array<std::uint64_t, kDurationBoundCount> cumulative{};
  const std::uint64_t total = nanoseconds.CumulativeCounts(kDurationBounds, cumulative);
  std::array<double, kDurationBoundCount> bounds{};
  std::array<std::uint64_t, kDurationBoundCount + 1> counts{};
  for (std::size_t i = 0; i < kDurationBoundCount; ++i) {
    bounds[i] = static_cast<double>(kDurationBounds[i] / 1000) / 1e6;
    counts[i] = cumulative[i] - (i == 0 ? 0 : cumulative[i - 1]);
  }
  counts.back() = total - cumulative.back();
  Histogram(dimensions, values, bounds, counts, static_cast<double>(nanoseconds.sum()) / 1e9);
}

void MetricsPage::Append(std::string_view page) {
  if (names_.empty()) {
    page_ += page;
    return;
  }
  std::string_view heading;  // the HELP and TYPE lines of a family, until they are written
  while (!page.empty()) {
    const std::size_t end = std::min(page.find('\n'), page.size() - 1) + 1;
    const std::string_view line = page.substr(0, end);
    page.remove_prefix(end);
    if (line.starts_with("# HELP ")) {
      heading = line;
      family_ = line.substr(7, line.find(' ', 7) - 7);
    } else if (line.starts_with('#')) {
      // It follows the HELP line in the same text.
      heading = {heading.data(), heading.size() + line.size()};
    } else if (Has(names_, family_) || Has(names_, line.substr(0, line.find_first_of("{ ")))) {
      page_.append(std::exchange(heading, {})).append(line);
    }
  }
}

}  // namespace headrace::torchserve
