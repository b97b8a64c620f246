#include <simdjson.h>

#include <cmath>

#include "profiling/profile.h"

namespace headrace::profiling {
namespace {

namespace dom = simdjson::dom;

Status ReadSeconds(const dom::element& value, ProfileOptions& options) {
  double seconds = 0;
  const double seconds_max = static_cast<double>(ProfileOptions::kDurationMax) / kSecond;
  if (value.get(seconds) != simdjson::SUCCESS || !(seconds > 0) || seconds > seconds_max) {
    return InvalidArgument("'seconds' is a number above 0, and at most {}", seconds_max);
  }
  options.duration = std::llround(seconds * static_cast<double>(kSecond));
  return OkStatus();
}

Status ReadFlag(std::string_view key, const dom::element& value, bool& flag) {
  if (value.get(flag) != simdjson::SUCCESS) {
    return InvalidArgument("'{}' is true or false", key);
  }
  return OkStatus();
}

Status ReadField(std::string_view key, const dom::element& value, ProfileOptions& options) {
  if (key == "seconds") {
    return ReadSeconds(value, options);
  }
  if (key == "requests") {
    if (value.get(options.request_count) != simdjson::SUCCESS || options.request_count == 0) {
      return InvalidArgument("'requests' is a whole number above 0");
    }
    return OkStatus();
  }
  if (key == "operators") {
    return ReadFlag(key, value, options.operators);
  }
  if (key == "shapes") {
    return ReadFlag(key, value, options.shapes);
  }
  if (key == "memory") {
    return ReadFlag(key, value, options.memory);
  }
  if (key == "stack") {
    return ReadFlag(key, value, options.stack);
  }
  if (key == "cpu_samples") {
    return ReadFlag(key, value, options.cpu_samples);
  }
  return InvalidArgument(
      "unknown field '{}': there are seconds, requests, operators, shapes, memory, stack, "
      "cpu_samples",
      key);
}

}  // namespace

Result<ProfileOptions> ProfileOptions::Parse(std::string_view json) {
  ProfileOptions options;
  if (json.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return options;
  }
  dom::parser parser;
  dom::object object;
  const simdjson::padded_string padded(json);
  if (parser.parse(padded).get(object) != simdjson::SUCCESS) {
    return InvalidArgument("the body is to be a JSON object, such as {{\"seconds\": 5}}");
  }
  for (const auto [key, value] : object) {
    HEADRACE_RETURN_IF_ERROR(ReadField(key, value, options));
  }
  return options;
}

}  // namespace headrace::profiling
