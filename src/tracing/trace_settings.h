// What is traced (contracts, Triton 1.11, 7.2): the server's settings and each model's own.
#ifndef HEADRACE_TRACING_TRACE_SETTINGS_H_
#define HEADRACE_TRACING_TRACE_SETTINGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::tracing {

struct TraceLevels {
  bool timestamps = false;
  bool tensors = false;
  bool any() const { return timestamps || tensors; }
  // "OFF", "TIMESTAMPS", "TENSORS"; the old names MIN and MAX mean TIMESTAMPS. INVALID_ARGUMENT for
  // any other name, or OFF beside another.
  static Result<TraceLevels> Parse(const std::vector<std::string>& names);
  std::vector<std::string> Names() const;
};

struct TraceSettings {
  TraceLevels levels = {};
  std::uint64_t rate = 1000;        // one of so many requests; 0 = none is chosen
  std::int64_t count = -1;          // traces that are left; -1 = any number
  std::uint64_t log_frequency = 0;  // traces in one file, which gets a number; 0 = one file
};

enum class TraceMode : std::uint8_t { kTriton, kOpenTelemetry };

// Fixed when the server starts (reliability D21): no call changes where traces go.
struct TraceTarget {
  TraceMode mode = TraceMode::kTriton;
  std::string file = {};  // of mode triton
  std::string url = "http://localhost:4318/v1/traces";
  std::vector<std::pair<std::string, std::string>> resource = {};  // OpenTelemetry's attributes
  std::size_t queue_size_max = 2048;  // spans that wait for export; more are dropped and counted
  std::int64_t schedule_delay_ms = 5000;  // the longest time until they are exported
  std::size_t export_batch_size_max = 512;
};

// Changes of some of the settings; what is missing stays as it is in the settings below.
struct TraceOverrides {
  std::optional<TraceLevels> levels = {};
  std::optional<std::uint64_t> rate = {};
  std::optional<std::int64_t> count = {};
  std::optional<std::uint64_t> log_frequency = {};

  TraceSettings Over(TraceSettings settings) const;
};

// One `--trace-config=[mode,]key=value`. INVALID_ARGUMENT says what is wrong with it.
Status ParseTraceOption(std::string_view text, TraceSettings& settings, TraceTarget& target);

}  // namespace headrace::tracing

#endif  // HEADRACE_TRACING_TRACE_SETTINGS_H_
