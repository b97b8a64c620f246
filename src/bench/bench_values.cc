#include "bench/bench_values.h"

#include <charconv>
#include <cmath>
#include <cstddef>

namespace headrace::bench {
namespace {

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(at + 1);
  }
}

}  // namespace

Result<double> ParseNumber(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end || !std::isfinite(value)) {
    return InvalidArgument("'{}' is no number", text);
  }
  return value;
}

Result<Nanos> ParseDuration(std::string_view text, Nanos unit) {
  if (text == "unlimited") {
    return kNever;
  }
  const std::size_t letters = text.find_first_not_of("0123456789.eE+-");
  const std::string_view number = text.substr(0, letters);
  const std::string_view name =
      letters == std::string_view::npos ? std::string_view() : text.substr(letters);
  constexpr struct {
    std::string_view name;
    Nanos unit;
  } kUnits[] = {{"ns", 1},           {"us", kMicrosecond},  {"ms", kMillisecond}, {"s", kSecond},
                {"m", 60 * kSecond}, {"min", 60 * kSecond}, {"h", 3600 * kSecond}};
  bool known = name.empty();
  for (const auto& one : kUnits) {
    if (one.name == name) {
      unit = one.unit;
      known = true;
    }
  }
  const Result<double> value = ParseNumber(number);
  constexpr double kMax = 9e18;
  if (!known || !value.ok() || *value < 0 || *value * static_cast<double>(unit) > kMax) {
    return InvalidArgument("'{}' is no duration: write it as 10s, 500ms or 250us", text);
  }
  return static_cast<Nanos>(std::llround(*value * static_cast<double>(unit)));
}

Result<double> ParseShare(std::string_view text) {
  const bool percent = text.ends_with('%');
  const Result<double> value = ParseNumber(percent ? text.substr(0, text.size() - 1) : text);
  const double share = value.ok() ? *value / (percent ? 100 : 1) : -1;
  if (share < 0 || share > 1) {
    return InvalidArgument("'{}' is no part: write it as 5% or 0.05", text);
  }
  return share;
}

Result<Range> ParseRange(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, ':');
  Range range;
  double* const fields[] = {&range.start, &range.end, &range.step};
  if (parts.size() > std::size(fields)) {
    return InvalidArgument("'{}' is no range: write it as START, START:END or START:END:STEP",
                           text);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Result<double> value = ParseNumber(parts[i]);
    if (!value.ok() || *value < 0) {
      return InvalidArgument("'{}' is no range: write it as START, START:END or START:END:STEP",
                             text);
    }
    *fields[i] = *value;
  }
  range.has_end = parts.size() > 1;
  if (!range.has_end) {
    range.end = range.start;
  }
  if (range.start <= 0 || range.step <= 0 || (!range.unbounded() && range.end < range.start)) {
    return InvalidArgument("'{}': START and STEP must be above 0, END not below START (or 0)",
                           text);
  }
  return range;
}

Result<Sla> ParseSla(std::string_view text) {
  Sla sla;
  std::string_view limit = text;
  if (const std::size_t at = text.find('='); at != std::string_view::npos) {
    limit = text.substr(at + 1);
    const std::string_view name = text.substr(0, at);
    const Result<double> percentile =
        name.starts_with('p') ? ParseNumber(name.substr(1)) : InvalidArgument("no percentile");
    if (!percentile.ok() || *percentile <= 0 || *percentile >= 100) {
      return InvalidArgument("'{}' is no SLA: write it as p99=100ms", text);
    }
    sla.percentile = *percentile;
  }
  const Result<Nanos> duration = ParseDuration(limit, kMillisecond);
  if (!duration.ok() || *duration <= 0 || *duration == kNever) {
    return InvalidArgument("'{}' is no SLA: write it as p99=100ms", text);
  }
  sla.limit = *duration;
  return sla;
}

Result<std::vector<load::ArrivalSpec::RatePoint>> ParseProfile(std::string_view text) {
  std::vector<load::ArrivalSpec::RatePoint> profile;
  for (const std::string_view part : Split(text, ',')) {
    const std::size_t at = part.find(':');
    const Result<Nanos> time = ParseDuration(part.substr(0, at));
    const Result<double> factor =
        at == std::string_view::npos ? InvalidArgument("none") : ParseNumber(part.substr(at + 1));
    if (!time.ok() || !factor.ok() || *factor < 0 || *time == kNever ||
        (!profile.empty() && *time < profile.back().at)) {
      return InvalidArgument(
          "'{}' is no profile of the rate: write it as TIME:FACTOR,... with times that rise: "
          "0s:0.5,10s:2",
          text);
    }
    profile.push_back({*time, *factor});
  }
  return profile;
}

}  // namespace headrace::bench
