#include "tracing/trace_settings.h"

#include <algorithm>

#include "base/checked_math.h"

namespace headrace::tracing {
namespace {

constexpr std::string_view kTritonPrefix = "triton,";
constexpr std::string_view kOpenTelemetryPrefix = "opentelemetry,";
constexpr std::int64_t kDelayMsMax = 86'400'000;
constexpr std::uint64_t kQueueSizeMax = 10'000'000;

template <typename Number>
Status ParseInto(std::string_view key, std::string_view text, Number& value) {
  const auto parsed = ParseDecimal<Number>(text);
  if (!parsed) {
    return InvalidArgument("{}: expected a whole number, got '{}'", key, text);
  }
  value = *parsed;
  return OkStatus();
}

Status ParseGeneral(std::string_view key, std::string_view value, TraceSettings& settings,
                    TraceTarget& target) {
  if (key == "level") {
    HEADRACE_ASSIGN_OR_RETURN(const TraceLevels levels, TraceLevels::Parse({std::string(value)}));
    // The key may be repeated: each adds a level, and OFF takes all away.
    settings.levels.timestamps = levels.any() && (settings.levels.timestamps || levels.timestamps);
    settings.levels.tensors = levels.any() && (settings.levels.tensors || levels.tensors);
    return OkStatus();
  }
  if (key == "rate") {
    return ParseInto(key, value, settings.rate);
  }
  if (key == "count") {
    std::int64_t count = 0;
    HEADRACE_RETURN_IF_ERROR(ParseInto(key, value, count));
    if (count < -1) {
      return InvalidArgument("count: expected a number of traces, or -1 for any, got {}", count);
    }
    settings.count = count;
    return OkStatus();
  }
  if (key == "mode") {
    if (value != "triton" && value != "opentelemetry") {
      return InvalidArgument("mode: expected triton or opentelemetry, got '{}'", value);
    }
    target.mode = value == "triton" ? TraceMode::kTriton : TraceMode::kOpenTelemetry;
    return OkStatus();
  }
  return InvalidArgument("'{}' is not a trace setting; there are level, rate, count, mode", key);
}

Status ParseOpenTelemetry(std::string_view key, std::string_view value, TraceTarget& target) {
  if (key == "url") {
    if (!value.starts_with("http://") && !value.starts_with("https://")) {
      return InvalidArgument("opentelemetry,url: expected http://... or https://..., got '{}'",
                             value);
    }
    target.url = std::string(value);
    return OkStatus();
  }
  if (key == "resource") {
    const std::size_t equals = value.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return InvalidArgument("opentelemetry,resource: expected <key>=<value>, got '{}'", value);
    }
    target.resource.emplace_back(value.substr(0, equals), value.substr(equals + 1));
    return OkStatus();
  }
  std::uint64_t number = 0;
  HEADRACE_RETURN_IF_ERROR(ParseInto(key, value, number));
  if (key == "bsp_max_queue_size" && number >= 1 && number <= kQueueSizeMax) {
    target.queue_size_max = number;
  } else if (key == "bsp_schedule_delay" && number <= kDelayMsMax) {
    target.schedule_delay_ms = static_cast<std::int64_t>(number);
  } else if (key == "bsp_max_export_batch_size" && number >= 1 && number <= kQueueSizeMax) {
    target.export_batch_size_max = number;
  } else {
    return InvalidArgument(
        "'opentelemetry,{}={}' is not a trace setting, or its value is out of range", key, value);
  }
  return OkStatus();
}

}  // namespace

Result<TraceLevels> TraceLevels::Parse(const std::vector<std::string>& names) {
  TraceLevels levels;
  bool off = false;
  for (const std::string& name : names) {
    if (name == "OFF") {
      off = true;
    } else if (name == "TIMESTAMPS" || name == "MIN" || name == "MAX") {
      levels.timestamps = true;
    } else if (name == "TENSORS") {
      levels.tensors = true;
    } else {
      return InvalidArgument("trace level: expected OFF, TIMESTAMPS or TENSORS, got '{}'",
                             name.substr(0, 64));
    }
  }
  if (off && levels.any()) {
    return InvalidArgument("trace level: OFF cannot be combined with another level");
  }
  return levels;
}

std::vector<std::string> TraceLevels::Names() const {
  std::vector<std::string> names;
  if (timestamps) {
    names.emplace_back("TIMESTAMPS");
  }
  if (tensors) {
    names.emplace_back("TENSORS");
  }
  if (names.empty()) {
    names.emplace_back("OFF");
  }
  return names;
}

TraceSettings TraceOverrides::Over(TraceSettings settings) const {
  settings.levels = levels.value_or(settings.levels);
  settings.rate = rate.value_or(settings.rate);
  settings.count = count.value_or(settings.count);
  settings.log_frequency = log_frequency.value_or(settings.log_frequency);
  return settings;
}

Status ParseTraceOption(std::string_view text, TraceSettings& settings, TraceTarget& target) {
  const bool triton = text.starts_with(kTritonPrefix);
  const bool opentelemetry = text.starts_with(kOpenTelemetryPrefix);
  text.remove_prefix(triton          ? kTritonPrefix.size()
                     : opentelemetry ? kOpenTelemetryPrefix.size()
                                     : 0);
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) {
    return InvalidArgument("expected [mode,]<key>=<value>, got '{}'", text);
  }
  const std::string_view key = text.substr(0, equals);
  const std::string_view value = text.substr(equals + 1);
  if (opentelemetry) {
    return ParseOpenTelemetry(key, value, target);
  }
  if (!triton) {
    return ParseGeneral(key, value, settings, target);
  }
  if (key == "file") {
    target.file = std::string(value);
    return OkStatus();
  }
  if (key == "log-frequency") {
    return ParseInto(key, value, settings.log_frequency);
  }
  return InvalidArgument("'triton,{}' is not a trace setting; there are file and log-frequency",
                         key);
}

}  // namespace headrace::tracing
