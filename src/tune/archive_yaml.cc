#include "tune/archive_yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "bench/json_value.h"
#include "repository/yaml_json.h"
#include "tune/tune_comment.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;

using Settings = std::vector<std::pair<std::string, JsonValue>>;

Settings SettingsOf(const Configuration& configuration, const Variant& variant) {
  Settings settings = {{"minWorkers", configuration.shape.instances},
                       {"maxWorkers", configuration.shape.instances},
                       {"batchSize", configuration.batch_max}};
  if (configuration.batch_max > 1) {
    settings.emplace_back("maxBatchDelay", DelayMs(configuration.delay));
  }
  if (configuration.shape.threads > 0 && !variant.thread_parameter.empty()) {
    settings.emplace_back("threadsPerWorker", configuration.shape.threads);
  }
  if (variant.on_gpu) {
    settings.emplace_back("deviceType", "gpu");
  }
  return settings;
}

// The key that a line begins with; "" where it begins none of the outermost map.
std::string_view KeyOf(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.find_first_of(" \t#-?[{") == 0) {
    return {};
  }
  std::string_view key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
  if (key.size() >= 2 && (key.front() == '"' || key.front() == '\'') && key.back() == key.front()) {
    key = key.substr(1, key.size() - 2);
  }
  return key;
}

// Without the lines of these keys, and those that go on with them.
std::string Without(std::string_view text, const Settings& settings) {
  std::string rest;
  bool dropping = false;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    const std::string_view line = text.substr(0, size);
    text.remove_prefix(size);
    const bool goes_on = line.front() == ' ' || line.front() == '\t';
    if (!goes_on) {
      const std::string_view key = KeyOf(line);
      dropping = std::any_of(settings.begin(), settings.end(),
                             [key](const auto& setting) { return setting.first == key; });
    }
    if (!dropping) {
      rest += line;
    }
  }
  if (!rest.empty() && rest.back() != '\n') {
    rest += '\n';
  }
  return rest;
}

Result<JsonValue> Values(std::string_view yaml) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string json, repository::YamlToJson(yaml));
  return JsonValue::Parse(json);
}

}  // namespace

std::int64_t DelayMs(Nanos delay) {
  return std::max<std::int64_t>(1, (delay + kMillisecond - 1) / kMillisecond);
}

Result<std::string> TunedArchiveYaml(std::string_view text, const Configuration& configuration,
                                     const Variant& variant, std::string_view comment) {
  const Settings settings = SettingsOf(configuration, variant);
  HEADRACE_ASSIGN_OR_RETURN(JsonValue wanted, Values(text));
  std::string result = CommentLines(comment) + Without(WithoutTunesComment(text), settings);
  for (const auto& [key, value] : settings) {
    wanted.Erase(key);
    result += fmt::format("{}: {}\n", key, value.is_string() ? value.AsString() : value.Text());
  }
  // Whatever YAML can do beside lines of keys (a map in braces, several documents) shows here.
  Result<JsonValue> written = Values(result);
  bool as_wanted = written.ok();
  for (const auto& [key, value] : settings) {
    as_wanted = as_wanted && written->At(key).Text() == value.Text();
    if (written.ok()) {
      written->Erase(key);
    }
  }
  if (!as_wanted || written->Text() != wanted.Text()) {
    return InvalidArgument(
        "its model-config.yaml is not written as lines of keys, so that nothing can be put in");
  }
  return result;
}

}  // namespace headrace::tune
