#include "tracing/trace_update.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/checked_math.h"

namespace headrace::tracing {
namespace {

using protocol::SettingValue;

constexpr std::array<std::string_view, 6> kFixed = {
    "trace_mode",         "url",
    "resource",           "bsp_max_queue_size",
    "bsp_schedule_delay", "bsp_max_export_batch_size"};

bool Clears(const SettingValue& value) {
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  return std::holds_alternative<std::monostate>(value) || (list != nullptr && list->empty());
}

// A number, a text, or a list of one text, as a number of at least `minimum`.
Result<std::int64_t> ReadNumber(std::string_view name, const SettingValue& value,
                                std::int64_t minimum) {
  std::optional<std::int64_t> number;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    number = *integer;
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    number = ParseDecimal<std::int64_t>(*text);
  } else if (const auto* list = std::get_if<std::vector<std::string>>(&value);
             list != nullptr && list->size() == 1) {
    number = ParseDecimal<std::int64_t>(list->front());
  }
  if (!number || *number < minimum) {
    return InvalidArgument("Unable to parse '{}': expected one whole number of at least {}", name,
                           minimum);
  }
  return *number;
}

Result<TraceLevels> ReadLevels(const SettingValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return TraceLevels::Parse({*text});
  }
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    return TraceLevels::Parse(*list);
  }
  return InvalidArgument("Unable to parse 'trace_level': expected a list of levels");
}

Status ReadOne(std::string_view name, const SettingValue& value, TraceUpdate& update) {
  const bool clears = Clears(value);
  if (name == "trace_level") {
    update.cleared.levels = clears;
    if (!clears) {
      HEADRACE_ASSIGN_OR_RETURN(update.changes.levels, ReadLevels(value));
    }
    return OkStatus();
  }
  const bool counts = name == "trace_count";
  if (!counts && name != "trace_rate" && name != "log_frequency") {
    if (name == "trace_file") {
      return Unimplemented("trace file location can not be updated through network protocol");
    }
    if (std::find(kFixed.begin(), kFixed.end(), name) != kFixed.end()) {
      return Unimplemented("trace setting '{}' is fixed when the server starts", name);
    }
    return InvalidArgument("'{}' is not a trace setting", name.substr(0, 64));
  }
  std::int64_t number = 0;
  if (!clears) {
    HEADRACE_ASSIGN_OR_RETURN(number, ReadNumber(name, value, counts ? -1 : 0));
  }
  if (counts) {
    update.cleared.count = clears;
    update.changes.count = clears ? std::nullopt : std::optional(number);
  } else if (name == "trace_rate") {
    update.cleared.rate = clears;
    update.changes.rate = clears ? std::nullopt : std::optional(static_cast<std::uint64_t>(number));
  } else {
    update.cleared.log_frequency = clears;
    update.changes.log_frequency =
        clears ? std::nullopt : std::optional(static_cast<std::uint64_t>(number));
  }
  return OkStatus();
}

}  // namespace

Result<TraceUpdate> ReadTraceUpdate(const protocol::Settings& settings) {
  TraceUpdate update;
  for (const auto& [name, value] : settings) {
    HEADRACE_RETURN_IF_ERROR(ReadOne(name, value, update));
  }
  return update;
}

protocol::Settings ShowTraceSettings(const TraceSettings& settings, const TraceTarget& target) {
  protocol::Settings shown = {
      {"trace_level", settings.levels.Names()},
      {"trace_rate", fmt::format("{}", settings.rate)},
      {"trace_count", fmt::format("{}", settings.count)},
      {"log_frequency", fmt::format("{}", settings.log_frequency)},
      {"trace_file", target.file},
  };
  if (target.mode == TraceMode::kTriton) {
    shown.emplace_back("trace_mode", "triton");
    return shown;
  }
  shown.emplace_back("trace_mode", "opentelemetry");
  shown.emplace_back("url", target.url);
  for (const auto& [key, value] : target.resource) {
    shown.emplace_back("resource", fmt::format("{}={}", key, value));
  }
  shown.emplace_back("bsp_max_queue_size", fmt::format("{}", target.queue_size_max));
  shown.emplace_back("bsp_schedule_delay", fmt::format("{}", target.schedule_delay_ms));
  shown.emplace_back("bsp_max_export_batch_size", fmt::format("{}", target.export_batch_size_max));
  return shown;
}

}  // namespace headrace::tracing
