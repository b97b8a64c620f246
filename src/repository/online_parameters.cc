#include "repository/online_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/checked_math.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

constexpr std::uint64_t kDayInMicroseconds = 86'400'000'000;
constexpr double kLatencyMost = 86'400e9;  // a day
constexpr std::uint64_t kInstancesMost = 1024;
constexpr std::uint64_t kWindowLeastMs = 50, kWindowMostMs = 600'000;
constexpr std::uint64_t kShrinkAfterMostMs = 86'400'000;
constexpr std::string_view kPrefix = "online_";

const std::string* Find(const inference::ModelConfig& config, const char* name) {
  const auto found = config.parameters().find(name);
  return found == config.parameters().end() ? nullptr : &found->second.string_value();
}

// A number without sign or exponent: "99.9".
std::optional<double> Decimal(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const auto whole = ParseDecimal<std::uint32_t>(text.substr(0, point));
  if (!whole) {
    return std::nullopt;
  }
  if (point == text.size()) {
    return *whole;
  }
  const std::string_view digits = text.substr(point + 1);
  const auto part = ParseDecimal<std::uint32_t>(digits);
  if (!part) {
    return std::nullopt;
  }
  double scale = 1;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    scale *= 10;
  }
  return *whole + *part / scale;
}

std::optional<Nanos> Duration(std::string_view text) {
  for (const auto& [unit, nanos] : {std::pair<std::string_view, Nanos>{"us", kMicrosecond},
                                    {"ms", kMillisecond},
                                    {"s", kSecond}}) {
    if (!text.ends_with(unit)) {
      continue;
    }
    const auto number = Decimal(text.substr(0, text.size() - unit.size()));
    if (!number) {
      return std::nullopt;
    }
    const double duration = *number * static_cast<double>(nanos);
    return duration >= 1 && duration <= kLatencyMost ? std::optional(static_cast<Nanos>(duration))
                                                     : std::nullopt;
  }
  return std::nullopt;
}

Status ReadSla(const std::string& text, engine::OnlineOptions& options) {
  const std::size_t equals = std::min(text.find('='), text.size());
  const std::string_view name = std::string_view(text).substr(0, equals);
  const double percentile = name.starts_with('p') ? Decimal(name.substr(1)).value_or(0) : 0;
  const Nanos limit = equals < text.size() ? Duration(text.substr(equals + 1)).value_or(0) : 0;
  if (!(percentile > 0 && percentile < 100) || limit == 0) {
    return InvalidArgument("parameter '{}' must be like \"p99=100ms\" (us, ms or s), got \"{}\"",
                           kOnlineSlaParameter, text);
  }
  options.percentile = percentile;
  options.sla = limit;
  return OkStatus();
}

// Leaves `value` alone where there is no such parameter.
template <typename Value>
Status ReadNumber(const inference::ModelConfig& config, const char* name, std::uint64_t least,
                  std::uint64_t most, Value unit, Value& value) {
  const std::string* const text = Find(config, name);
  if (text == nullptr) {
    return OkStatus();
  }
  const auto number = ParseDecimal<std::uint64_t>(*text);
  if (!number || *number < least || *number > most) {
    return InvalidArgument("parameter '{}' must be a whole number from {} to {}, got \"{}\"", name,
                           least, most, *text);
  }
  value = static_cast<Value>(*number) * unit;
  return OkStatus();
}

Status CheckNames(const inference::ModelConfig& config) {
  for (const auto& [name, value] : config.parameters()) {
    if (name.starts_with(kPrefix) && std::find(kOnlineParameters.begin(), kOnlineParameters.end(),
                                               name) == kOnlineParameters.end()) {
      return InvalidArgument("there is no parameter '{}'; those of the online mode are {}", name,
                             fmt::join(kOnlineParameters, ", "));
    }
    if (name.starts_with(kPrefix) && Find(config, kOnlineSlaParameter) == nullptr) {
      return InvalidArgument("parameter '{}' needs '{}', as \"p99=100ms\"; or remove it", name,
                             kOnlineSlaParameter);
    }
  }
  return OkStatus();
}

Status CheckModel(const inference::ModelConfig& config) {
  const char* const what = config.has_ensemble_scheduling()                ? "ensemble"
                           : config.has_sequence_batching()                ? "model of sequences"
                           : config.model_transaction_policy().decoupled() ? "decoupled model"
                                                                           : nullptr;
  return what == nullptr ? OkStatus()
                         : InvalidArgument("parameter '{}': this {} cannot be online; remove it",
                                           kOnlineSlaParameter, what);
}

Status CheckDelay(const inference::ModelConfig& config, const engine::OnlineOptions& options) {
  if (options.queue_delay_min == options.queue_delay_max) {
    return OkStatus();
  }
  if (options.queue_delay_min > options.queue_delay_max) {
    return InvalidArgument("parameter '{}' must be at least '{}': {} us is below {} us",
                           kOnlineDelayMaxParameter, kOnlineDelayMinParameter,
                           options.queue_delay_max / kMicrosecond,
                           options.queue_delay_min / kMicrosecond);
  }
  if (!config.has_dynamic_batching() || config.max_batch_size() < 2) {
    return InvalidArgument(
        "parameter '{}' needs dynamic_batching and a max_batch_size of at least 2: without them "
        "there is no queue delay",
        kOnlineDelayMaxParameter);
  }
  return options.queue_delay_max < options.sla
             ? OkStatus()
             : InvalidArgument(
                   "parameter '{}' must be below the latency of '{}': a request that "
                   "waits so long is late already",
                   kOnlineDelayMaxParameter, kOnlineSlaParameter);
}

Status CheckInstances(const inference::ModelConfig& config, const engine::OnlineOptions& options) {
  if (options.instance_count_min == options.instance_count_max) {
    return OkStatus();
  }
  if (options.instance_count_min > options.instance_count_max) {
    return InvalidArgument("parameter '{}' must be at least '{}': {} is below {}",
                           kOnlineInstancesMaxParameter, kOnlineInstancesMinParameter,
                           options.instance_count_max, options.instance_count_min);
  }
  const bool one_place = config.instance_group_size() == 1 && !config.instance_group(0).passive() &&
                         config.instance_group(0).gpus_size() <= 1;
  return one_place ? OkStatus()
                   : InvalidArgument(
                         "parameter '{}' needs a single instance_group that is not "
                         "passive and lists at most one GPU",
                         kOnlineInstancesMaxParameter);
}

}  // namespace

Result<std::optional<engine::OnlineOptions>> BuildOnlineOptions(
    const inference::ModelConfig& config) {
  HEADRACE_RETURN_IF_ERROR(CheckNames(config));
  const std::string* const sla = Find(config, kOnlineSlaParameter);
  if (sla == nullptr) {
    return std::optional<engine::OnlineOptions>();
  }
  engine::OnlineOptions options;
  HEADRACE_RETURN_IF_ERROR(ReadSla(*sla, options));
  HEADRACE_RETURN_IF_ERROR(CheckModel(config));
  options.queue_delay_min = options.queue_delay_max =
      static_cast<Nanos>(config.dynamic_batching().max_queue_delay_microseconds()) * kMicrosecond;
  options.instance_count_min = options.instance_count_max =
      config.instance_group_size() == 1 ? std::max(1, config.instance_group(0).count()) : 1;
  for (const auto& [name, field] :
       {std::pair{kOnlineDelayMinParameter, &options.queue_delay_min},
        std::pair{kOnlineDelayMaxParameter, &options.queue_delay_max}}) {
    HEADRACE_RETURN_IF_ERROR(ReadNumber(config, name, 0, kDayInMicroseconds, kMicrosecond, *field));
  }
  for (const auto& [name, field] :
       {std::pair{kOnlineInstancesMinParameter, &options.instance_count_min},
        std::pair{kOnlineInstancesMaxParameter, &options.instance_count_max}}) {
    HEADRACE_RETURN_IF_ERROR(ReadNumber(config, name, 1, kInstancesMost, std::int64_t{1}, *field));
  }
  HEADRACE_RETURN_IF_ERROR(ReadNumber(config, kOnlineWindowParameter, kWindowLeastMs, kWindowMostMs,
                                      kMillisecond, options.window));
  HEADRACE_RETURN_IF_ERROR(ReadNumber(config, kOnlineShrinkAfterParameter, 0, kShrinkAfterMostMs,
                                      kMillisecond, options.shrink_after));
  HEADRACE_RETURN_IF_ERROR(CheckDelay(config, options));
  HEADRACE_RETURN_IF_ERROR(CheckInstances(config, options));
  if (options.queue_delay_min == options.queue_delay_max &&
      options.instance_count_min == options.instance_count_max) {
    return InvalidArgument(
        "parameter '{}' leaves nothing to vary: give '{}' or '{}' another value than the "
        "configuration has, or remove it",
        kOnlineSlaParameter, kOnlineDelayMaxParameter, kOnlineInstancesMaxParameter);
  }
  return std::optional(options);
}

}  // namespace headrace::repository
