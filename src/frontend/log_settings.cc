#include "frontend/log_settings.h"

#include <string_view>
#include <utility>

#include "base/log.h"

namespace headrace::frontend {
namespace {

using protocol::SettingValue;

constexpr std::int64_t kVerboseLevelMax = 10;

Status ReadFlag(std::string_view name, const SettingValue& value, bool& flag) {
  const auto* read = std::get_if<bool>(&value);
  if (read == nullptr) {
    return InvalidArgument("Unable to parse '{}': attempt to access JSON non-boolean as boolean",
                           name);
  }
  flag = *read;
  return OkStatus();
}

Status ReadFormat(const SettingValue& value, LogFormat& format) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    return InvalidArgument(
        "Unable to parse 'log_format': attempt to access JSON non-string as string");
  }
  if (*text != "default" && *text != "ISO8601") {
    return Unavailable("invalid argument for --log_format, got: {}", text->substr(0, 64));
  }
  format = *text == "default" ? LogFormat::kDefault : LogFormat::kIso8601;
  return OkStatus();
}

Status ReadOne(std::string_view name, const SettingValue& value, LogOptions& options) {
  if (name == "log_info") {
    return ReadFlag(name, value, options.info);
  }
  if (name == "log_warning") {
    return ReadFlag(name, value, options.warning);
  }
  if (name == "log_error") {
    return ReadFlag(name, value, options.error);
  }
  if (name == "log_format") {
    return ReadFormat(value, options.format);
  }
  if (name == "log_verbose_level") {
    const auto* level = std::get_if<std::int64_t>(&value);
    if (level == nullptr || *level < 0 || *level > kVerboseLevelMax) {
      return InvalidArgument("Unable to parse 'log_verbose_level': expected a number from 0 to {}",
                             kVerboseLevelMax);
    }
    options.verbose_level = static_cast<int>(*level);
    return OkStatus();
  }
  if (name == "log_file") {
    return Unimplemented("log file location can not be updated through network protocol");
  }
  return InvalidArgument("'{}' is not a log setting", name.substr(0, 64));
}

}  // namespace

Status UpdateLogSettings(const protocol::Settings& settings) {
  LogOptions options = CurrentLogOptions();
  for (const auto& [name, value] : settings) {
    HEADRACE_RETURN_IF_ERROR(ReadOne(name, value, options));
  }
  SetLogLevels(options);
  return OkStatus();
}

protocol::Settings ShowLogSettings() {
  const LogOptions options = CurrentLogOptions();
  return {
      {"log_file", options.file},
      {"log_info", options.info},
      {"log_warning", options.warning},
      {"log_error", options.error},
      {"log_verbose_level", std::int64_t{options.verbose_level}},
      {"log_format", options.format == LogFormat::kDefault ? "default" : "ISO8601"},
  };
}

}  // namespace headrace::frontend
