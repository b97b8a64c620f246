// Trace and log settings over gRPC (contracts, Triton 2.5).
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "frontend/grpc_handlers.h"
#include "frontend/grpc_unary.h"
#include "frontend/log_settings.h"
#include "protocol/settings_json.h"
#include "tracing/trace_update.h"

namespace headrace::frontend {
namespace {

using protocol::Settings;
using protocol::SettingValue;

// trace_level is a list; of the others the first text counts, and none at all clears the setting.
Result<Settings> ReadTraceSettings(const inference::TraceSettingRequest& request) {
  Settings settings;
  for (const auto& [name, setting] : request.settings()) {
    SettingValue value;
    if (name == "trace_level") {
      if (setting.value_size() > 0) {
        value = std::vector<std::string>(setting.value().begin(), setting.value().end());
      }
    } else if (setting.value_size() > 1) {
      return InvalidArgument("expect only 1 value for '{}'", name.substr(0, 64));
    } else if (setting.value_size() == 1) {
      value = setting.value(0);
    }
    settings.emplace_back(name, std::move(value));
  }
  return settings;
}

Result<inference::TraceSettingResponse> TraceSetting(
    GrpcContext& context, const inference::TraceSettingRequest& request) {
  const std::string& model = request.model_name();
  if (!model.empty() && context.loop.models.Get().Find(model) == nullptr) {
    return NotFound("Request for unknown model: '{}' is not found", model);
  }
  tracing::Tracer& tracer = context.services.tracer;
  if (request.settings_size() > 0) {
    HEADRACE_ASSIGN_OR_RETURN(const Settings settings, ReadTraceSettings(request));
    HEADRACE_ASSIGN_OR_RETURN(const tracing::TraceUpdate update,
                              tracing::ReadTraceUpdate(settings));
    tracer.Update(model, update.changes, update.cleared);
  }
  inference::TraceSettingResponse response;
  for (const auto& [name, value] : tracing::ShowTraceSettings(tracer.Get(model), tracer.target())) {
    auto& shown = (*response.mutable_settings())[name];
    if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
      for (const std::string& text : *list) {
        shown.add_value(text);
      }
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      shown.add_value(*text);
    }
  }
  return response;
}

Settings ReadLogSettings(const inference::LogSettingsRequest& request) {
  using Value = inference::LogSettingsRequest::SettingValue;
  Settings settings;
  for (const auto& [name, setting] : request.settings()) {
    SettingValue value;
    switch (setting.parameter_choice_case()) {
      case Value::kBoolParam:
        value = setting.bool_param();
        break;
      case Value::kUint32Param:
        value = std::int64_t{setting.uint32_param()};
        break;
      case Value::kStringParam:
        value = setting.string_param();
        break;
      default:
        break;
    }
    settings.emplace_back(name, std::move(value));
  }
  return settings;
}

Result<inference::LogSettingsResponse> LogSettings(GrpcContext&,
                                                   const inference::LogSettingsRequest& request) {
  if (Status status = UpdateLogSettings(ReadLogSettings(request)); !status.ok()) {
    // A bad log_format, which is UNAVAILABLE over HTTP.
    return status.code() == StatusCode::kUnavailable ? InvalidArgument("{}", status.message())
                                                     : std::move(status);
  }
  inference::LogSettingsResponse response;
  for (const auto& [name, value] : ShowLogSettings()) {
    auto& shown = (*response.mutable_settings())[name];
    if (const auto* flag = std::get_if<bool>(&value)) {
      shown.set_bool_param(*flag);
    } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
      shown.set_uint32_param(static_cast<std::uint32_t>(*number));
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      shown.set_string_param(*text);
    }
  }
  return response;
}

}  // namespace

void GrpcTraceSetting(GrpcContext& context) {
  ServeUnary<inference::TraceSettingRequest, inference::TraceSettingResponse, TraceSetting>(
      context);
}

void GrpcLogSettings(GrpcContext& context) {
  ServeUnary<inference::LogSettingsRequest, inference::LogSettingsResponse, LogSettings>(context);
}

}  // namespace headrace::frontend
