#include <array>
#include <variant>

#include "protocol/json_writer.h"
#include "worker/json_messages.h"

namespace headrace::worker {
namespace {

using protocol::JsonWriter;

struct CodeName {
  std::string_view name;
  StatusCode code;
};
// Triton's names of errors (contracts, Triton 9.2).
constexpr std::array<CodeName, 8> kCodeNames = {{
    {"UNKNOWN", StatusCode::kUnknown},
    {"INTERNAL", StatusCode::kInternal},
    {"NOT_FOUND", StatusCode::kNotFound},
    {"INVALID_ARG", StatusCode::kInvalidArgument},
    {"UNAVAILABLE", StatusCode::kUnavailable},
    {"UNSUPPORTED", StatusCode::kUnimplemented},
    {"ALREADY_EXISTS", StatusCode::kAlreadyExists},
    {"CANCELLED", StatusCode::kCancelled},
}};

std::string_view KindName(engine::InstanceKind kind) {
  switch (kind) {
    case engine::InstanceKind::kGpu:
      return "GPU";
    case engine::InstanceKind::kModel:
      return "MODEL";
    default:
      return "CPU";
  }
}

void WriteValue(JsonWriter& json, const ParameterValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    json.String(*text);
  } else if (const auto* number = std::get_if<std::int64_t>(&value)) {
    json.Int(*number);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    json.Bool(*flag);
  } else {
    json.Double(std::get<double>(value));
  }
}

void WriteParameters(JsonWriter& json, const std::vector<Parameter>& parameters) {
  if (parameters.empty()) {
    return;
  }
  json.Key("parameters").BeginObject();
  for (const Parameter& parameter : parameters) {
    json.Key(parameter.name);
    WriteValue(json, parameter.value);
  }
  json.EndObject();
}

void WriteStrings(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.Key(key).BeginArray();
  for (const std::string& text : texts) {
    json.String(text);
  }
  json.EndArray();
}

void WriteError(JsonWriter& json, const Status& error) {
  if (!error.ok()) {
    json.Key("error").BeginObject();
    json.Key("code").String(NameOfCode(error.code()));
    json.Key("message").String(error.message()).EndObject();
  }
}

}  // namespace

StatusCode CodeFromName(std::string_view name) {
  for (const CodeName& known : kCodeNames) {
    if (known.name == name) {
      return known.code;
    }
  }
  return StatusCode::kInternal;
}

std::string_view NameOfCode(StatusCode code) {
  for (const CodeName& known : kCodeNames) {
    if (known.code == code) {
      return known.name;
    }
  }
  switch (code) {
    case StatusCode::kResourceExhausted:
    case StatusCode::kDeadlineExceeded:
      return "UNAVAILABLE";
    case StatusCode::kFailedPrecondition:
    case StatusCode::kOutOfRange:
      return "INVALID_ARG";
    default:
      return "INTERNAL";
  }
}

std::string EncodeLoad(const LoadMessage& load) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key("contract").String(load.contract);
  json.Key("model_name").String(load.model_name);
  json.Key("model_version").Int(load.version);
  json.Key("model_directory").String(load.model_directory);
  json.Key("version_directory").String(fmt::format("{}/{}", load.model_directory, load.version));
  json.Key("model_file").String(load.model_file);
  json.Key("config").Raw(load.config_json);
  json.Key("instance_name").String(load.instance_name);
  json.Key("kind").String(KindName(load.kind));
  json.Key("device_id").Int(load.device_id);
  WriteStrings(json, "input_names", *load.input_names);
  WriteStrings(json, "output_names", *load.output_names);
  json.Key("decoupled").Bool(load.decoupled);
  json.Key("data").BeginObject();
  json.Key("size").Uint(load.data_byte_size);
  json.Key("middle").Uint(load.data_middle).EndObject();
  json.Key("handler").Raw(load.handler_json.empty() ? "{}" : load.handler_json);
  json.EndObject();
  return out;
}

std::string EncodeFork(const ForkMessage& fork) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key("mark").String(std::string_view(fork.mark).substr(fork.mark.find('=') + 1));
  json.Key("name").String(fork.name);
  json.Key("cpus").BeginArray();
  for (const int cpu : fork.cpus) {
    json.Int(cpu);
  }
  json.EndArray();
  json.Key("environment").BeginObject();
  for (const auto& [name, value] : fork.environment) {
    json.Key(name).String(value);
  }
  json.EndObject().EndObject();
  return out;
}

void AppendRequestExtras(const engine::InferRequest& request,
                         const std::vector<std::string>& outputs, std::string& out) {
  const bool wants_all = request.wanted_outputs.empty() || request.wanted_outputs == outputs;
  const std::string context = request.trace == nullptr ? std::string() : request.trace->Context();
  if (request.id.empty() && request.correlation_id_text.empty() && request.parameters.empty() &&
      wants_all && request.priority == 0 && context.empty()) {
    return;
  }
  JsonWriter json(out);
  json.BeginObject();
  if (!request.id.empty()) {
    json.Key("id").String(request.id);
  }
  if (!request.correlation_id_text.empty()) {
    json.Key("correlation_id").String(request.correlation_id_text);
  }
  WriteParameters(json, request.parameters);
  if (!wants_all) {
    WriteStrings(json, "wanted_outputs", request.wanted_outputs);
  }
  if (request.priority != 0) {
    json.Key("priority").Uint(request.priority);
  }
  if (!context.empty()) {
    json.Key("trace").String(context);
  }
  json.EndObject();
}

std::string EncodeResponseExtras(const Status& error, const std::vector<Parameter>& parameters) {
  std::string out;
  if (error.ok() && parameters.empty()) {
    return out;
  }
  JsonWriter json(out);
  json.BeginObject();
  WriteError(json, error);
  WriteParameters(json, parameters);
  json.EndObject();
  return out;
}

std::string EncodeReply(std::uint64_t id, const Status& error, std::string_view value_json) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("id").Uint(id);
  if (error.ok()) {
    json.Key("value").Raw(value_json);
  }
  WriteError(json, error);
  json.EndObject();
  return out;
}

std::string EncodeId(std::uint64_t id) { return fmt::format("{{\"id\":{}}}", id); }

}  // namespace headrace::worker
