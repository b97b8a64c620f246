#include "tune/online.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/json_value.h"
#include "repository/online_parameters.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;

// "p99=100ms".
std::string SlaOf(const Target& target) {
  const bool whole = target.sla % kMillisecond == 0;
  return fmt::format("p{:g}={}{}", target.percentile,
                     target.sla / (whole ? kMillisecond : kMicrosecond), whole ? "ms" : "us");
}

// It was measured, and carried something within the SLA.
bool Held(const Finding& finding) {
  return finding.failure.empty() && !finding.configuration.as_found &&
         (finding.rungs > 0 || finding.capacity || finding.confirmed) && finding.rate() > 0;
}

}  // namespace

std::optional<OnlineBounds> OnlineBoundsOf(const SearchReport& report, const Target& target) {
  if (!report.winner) {
    return std::nullopt;
  }
  const Configuration& winner = report.findings[*report.winner].configuration;
  OnlineBounds bounds{.target = target,
                      .delay_max = winner.batch_max > 1 ? winner.delay : 0,
                      .instances_max = winner.shape.instances};
  for (const Finding& finding : report.findings) {
    const Configuration& other = finding.configuration;
    if (Held(finding) && other.variant == winner.variant &&
        other.shape.threads == winner.shape.threads && other.batch_max == winner.batch_max) {
      bounds.instances_max = std::max(bounds.instances_max, other.shape.instances);
      if (winner.batch_max > 1) {
        bounds.delay_max = std::max(bounds.delay_max, other.delay);
      }
    }
  }
  if (winner.as_found || (bounds.delay_max == 0 && bounds.instances_max == 1)) {
    return std::nullopt;
  }
  return bounds;
}

std::string BoundsText(const OnlineBounds& bounds) {
  return fmt::format("online: p{:g} <= {} with queue delays of 0 to {} and 1 to {} instances",
                     bounds.target.percentile, DurationText(bounds.target.sla),
                     DurationText(bounds.delay_max), bounds.instances_max);
}

std::vector<std::pair<std::string, std::string>> OnlineParameters(const OnlineBounds& bounds) {
  std::vector<std::pair<std::string, std::string>> parameters = {
      {repository::kOnlineSlaParameter, SlaOf(bounds.target)}};
  if (bounds.delay_max > 0) {
    parameters.emplace_back(repository::kOnlineDelayMinParameter, "0");
    parameters.emplace_back(repository::kOnlineDelayMaxParameter,
                            std::to_string(bounds.delay_max / kMicrosecond));
  }
  if (bounds.instances_max > 1) {
    parameters.emplace_back(repository::kOnlineInstancesMinParameter, "1");
    parameters.emplace_back(repository::kOnlineInstancesMaxParameter,
                            std::to_string(bounds.instances_max));
  }
  return parameters;
}

std::string OnlineFields(const OnlineBounds& bounds) {
  std::string text;
  for (const auto& [name, value] : OnlineParameters(bounds)) {
    text +=
        fmt::format("parameters {{ key: \"{}\" value {{ string_value: \"{}\" }} }}\n", name, value);
  }
  return text;
}

Result<std::string> WithOnline(std::string_view config_json, const OnlineBounds& bounds) {
  HEADRACE_ASSIGN_OR_RETURN(JsonValue config, JsonValue::Parse(config_json));
  for (const auto& [name, text] : OnlineParameters(bounds)) {
    JsonValue value = JsonValue::Object();
    value["string_value"] = text;
    config["parameters"][name] = std::move(value);
  }
  return config.Text();
}

}  // namespace headrace::tune
