#include "torchserve/management_parameters.h"

#include <simdjson.h>

#include <limits>

#include "base/ascii.h"
#include "base/checked_math.h"
#include "protocol/multipart.h"

namespace headrace::torchserve {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kDepthMax = 8;

// Null counts as not said.
Result<ManagementParameters::Fields> FieldsOfJson(std::string_view json) {
  dom::parser parser;
  dom::object object;
  if (parser.allocate(json.size(), kDepthMax) != simdjson::SUCCESS) {
    return Internal("no memory to read the request's body");
  }
  if (const auto error = parser.parse(json.data(), json.size()).get(object);
      error != simdjson::SUCCESS) {
    return InvalidArgument("The request's body is no JSON object: {}",
                           simdjson::error_message(error));
  }
  ManagementParameters::Fields fields;
  for (const auto [key, value] : object) {
    std::string_view text;
    if (value.is_object() || value.is_array()) {
      return InvalidArgument("Parameter {} must be a text, a number or a boolean.", key);
    }
    if (value.is_null()) {
      continue;
    }
    fields.emplace_back(
        key, value.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(value));
  }
  return fields;
}

}  // namespace

std::optional<std::string> ManagementParameters::Text(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (key == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> ManagementParameters::Number(std::string_view name) const {
  const std::optional<std::string> text = Text(name);
  if (!text) {
    return std::nullopt;
  }
  std::string_view digits = *text;
  const bool negative = digits.starts_with('-');
  digits.remove_prefix(negative ? 1 : 0);
  const auto number = ParseDecimal<std::int64_t>(digits);
  if (!number || *number > std::numeric_limits<std::int32_t>::max()) {
    return std::nullopt;
  }
  return negative ? -*number : *number;
}

bool ManagementParameters::Switch(std::string_view name, bool otherwise) const {
  const std::optional<std::string> text = Text(name);
  return text ? EqualsIgnoringCase(*text, "true") : otherwise;
}

Result<ManagementParameters> ParametersOf(const ApiCall& call) {
  const std::string_view type =
      protocol::MediaType(call.exchange->head().Header("Content-Type").value_or(""));
  if (!EqualsIgnoringCase(type, "application/json")) {
    return ManagementParameters(call.query);
  }
  HEADRACE_ASSIGN_OR_RETURN(ManagementParameters::Fields fields, FieldsOfJson(call.body()));
  return ManagementParameters(std::move(fields));
}

Result<store::Registration> RegistrationOf(const ManagementParameters& parameters) {
  const std::optional<std::string> url = parameters.Text("url");
  if (!url) {
    return InvalidArgument("Parameter url is required.");
  }
  store::Registration registration;
  registration.url = *url;
  registration.name = parameters.Text("model_name").value_or("");
  registration.handler = parameters.Text("handler").value_or("");
  registration.runtime = parameters.Text("runtime").value_or("");
  store::WantedSettings& settings = registration.settings;
  settings.batch_size = parameters.Number("batch_size");
  settings.batch_delay_ms = parameters.Number("max_batch_delay");
  if (!settings.batch_delay_ms) {
    settings.batch_delay_ms = parameters.Number("batch_delay");  // as its own benchmark says
  }
  settings.worker_count_min = settings.worker_count_max = parameters.Number("initial_workers");
  settings.response_timeout_s = parameters.Number("response_timeout");
  settings.startup_timeout_s = parameters.Number("startup_timeout");
  registration.synchronous = parameters.Switch("synchronous", true);
  registration.s3_sse_kms = parameters.Switch("s3_sse_kms", false);
  return registration;
}

}  // namespace headrace::torchserve
