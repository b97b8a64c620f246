// A metric as one line of text: how handlers tell them, and how logs show them (contracts,
// TorchServe 3.3). Pure.
#ifndef HEADRACE_TORCHSERVE_METRIC_LINE_H_
#define HEADRACE_TORCHSERVE_METRIC_LINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "telemetry/prometheus.h"

namespace headrace::torchserve {

// What a handler's line says. Views into the line.
struct MetricLine {
  static constexpr std::size_t kByteSizeMax = 4096;

  std::string_view name, unit;
  double value = 0;
  std::vector<std::pair<std::string_view, std::string_view>> dimensions;
  std::optional<telemetry::MetricKind> kind;
  std::string_view hostname;
  std::int64_t timestamp_s = 0;
  std::string_view request_ids;  // "id,id"; may be empty
};

// "Name.Unit:value|#Dim:v,Dim:v|#type:GAUGE|#hostname:h,seconds,ids", with or without "[METRICS]"
// in front, the type and the identifiers. INVALID_ARGUMENT for anything else.
Result<MetricLine> ParseMetricLine(std::string_view line);

// As Java prints a double: always with a fraction, "1.0E7" from ten millions on.
std::string JavaDouble(double value);

// "Name.Unit:value|#Dim:v,Dim:v|#hostname:h[,requestID:ids],timestamp:seconds". Every value of a
// dimension is cut to 1 KiB (reliability D21).
std::string FormatMetricLine(
    std::string_view name, std::string_view unit, double value,
    const std::vector<std::pair<std::string_view, std::string_view>>& dimensions,
    std::string_view hostname, std::string_view request_ids, std::int64_t timestamp_s);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_METRIC_LINE_H_
