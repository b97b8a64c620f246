#include "store/configured_models.h"

#include <limits>
#include <string>

#include "base/checked_math.h"
#include "base/log.h"
#include "store/settings_json.h"

namespace headrace::store {

namespace dom = simdjson::dom;

namespace {

constexpr std::size_t kDepthMax = 16;

}  // namespace

Result<dom::object> ParseJsonObject(std::string_view json, std::string_view what,
                                    dom::parser& parser) {
  if (json.size() > kModelsJsonByteSizeMax) {
    return InvalidArgument("{}: {} bytes are more than the {} that it may have", what, json.size(),
                           kModelsJsonByteSizeMax);
  }
  if (parser.allocate(json.size(), kDepthMax) != simdjson::SUCCESS) {
    return Internal("no memory to read {}", what);
  }
  dom::object object;
  if (const auto error = parser.parse(json.data(), json.size()).get(object);
      error != simdjson::SUCCESS) {
    return InvalidArgument("{}: it is no JSON object: {}", what, simdjson::error_message(error));
  }
  return object;
}

std::optional<std::int64_t> NumberIn(dom::object object, std::string_view key, std::int64_t min) {
  dom::element value;
  if (object.at_key(key).get(value) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  std::string_view text;
  if (value.get(number) != simdjson::SUCCESS) {
    const auto parsed =
        value.get(text) == simdjson::SUCCESS ? ParseDecimal<std::int64_t>(text) : std::nullopt;
    if (!parsed) {
      return std::nullopt;
    }
    number = *parsed;
  }
  return number >= min && number <= std::numeric_limits<std::int32_t>::max() ? std::optional(number)
                                                                             : std::nullopt;
}

WantedSettings SettingsIn(dom::object object, std::int64_t worker_count_min) {
  WantedSettings settings;
  settings.worker_count_min = NumberIn(object, "minWorkers", worker_count_min);
  settings.worker_count_max = NumberIn(object, "maxWorkers", worker_count_min);
  settings.batch_size = NumberIn(object, "batchSize", 1);
  settings.batch_delay_ms = NumberIn(object, "maxBatchDelay", 1);
  settings.response_timeout_s = NumberIn(object, "responseTimeout", 1);
  settings.startup_timeout_s = NumberIn(object, "startupTimeout", 1);
  return settings;
}

Result<ConfiguredModels> ParseConfiguredModels(std::string_view json) {
  dom::parser parser;
  HEADRACE_ASSIGN_OR_RETURN(const dom::object models, ParseJsonObject(json, "models", parser));
  ConfiguredModels result;
  for (const auto model : models) {
    dom::object versions;
    if (model.value.get(versions) != simdjson::SUCCESS) {
      return InvalidArgument("models: '{}' must be an object of versions",
                             EscapeForLog(model.key, 128));
    }
    for (const auto version : versions) {
      dom::object settings;
      if (version.value.get(settings) != simdjson::SUCCESS) {
        return InvalidArgument("models: version '{}' of '{}' must be an object of settings",
                               EscapeForLog(version.key, 128), EscapeForLog(model.key, 128));
      }
      result[std::string(model.key)][std::string(version.key)] = SettingsIn(settings, 1);
    }
  }
  return result;
}

}  // namespace headrace::store
