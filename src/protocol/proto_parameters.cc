#include "protocol/proto_parameters.h"

#include <bit>
#include <utility>

#include "protocol/v2_parameters.h"

namespace headrace::protocol {
namespace {

constexpr std::uint32_t kSequenceStart = 1;
constexpr std::uint32_t kSequenceEnd = 2;
constexpr std::string_view kEmptyFinalResponse = "triton_enable_empty_final_response";
constexpr std::size_t kShownMax = 64;

Status WrongType(std::string_view name, std::string_view expected) {
  return InvalidArgument("invalid value type for '{}' parameter, expected {}.",
                         name.substr(0, kShownMax), expected);
}

bool ReadAlternative(ProtoReader& reader, const V2ProtoLimits& limits, ProtoParameter& parameter) {
  std::uint64_t number = 0;
  switch (reader.field()) {
    case 1:
      if (reader.ReadVarint(number)) {
        parameter.value = number != 0;
      }
      break;
    case 2:
      if (reader.ReadVarint(number)) {
        parameter.value = static_cast<std::int64_t>(number);
      }
      break;
    case 3: {
      std::string text;
      if (reader.ReadString(text, limits.text_byte_size_max)) {
        parameter.value = std::move(text);
      }
      break;
    }
    case 4:
      if (reader.ReadFixed64(number)) {
        parameter.value = std::bit_cast<double>(number);
      }
      break;
    case 5:
      if (reader.ReadVarint(number)) {
        parameter.value = number;
      }
      break;
    default:
      reader.Skip();
  }
  return reader.ok();
}

Status ApplyFlag(const ProtoParameter& parameter, std::uint32_t flag, V2InferRequest& message) {
  const auto* value = std::get_if<bool>(&parameter.value);
  if (value == nullptr) {
    return WrongType(parameter.name, "bool_param");
  }
  message.sequence_flags = (message.sequence_flags & ~flag) | (*value ? flag : 0);
  return OkStatus();
}

Status ApplySequenceId(ProtoParameter parameter, const V2ProtoLimits& limits,
                       V2InferRequest& message) {
  message.correlation_id = 0;
  message.correlation_id_text.clear();
  if (const auto* number = std::get_if<std::int64_t>(&parameter.value)) {
    // Clients that count in uint64 send the same bits.
    message.correlation_id = static_cast<std::uint64_t>(*number);
    return OkStatus();
  }
  auto* text = std::get_if<std::string>(&parameter.value);
  if (text == nullptr) {
    return WrongType(parameter.name, "int64_param or string_param");
  }
  if (text->size() > limits.id_byte_size_max || HasControlByte(*text)) {
    return InvalidArgument(
        "parameters['sequence_id']: at most {} bytes and no control characters are accepted",
        limits.id_byte_size_max);
  }
  message.correlation_id_text = std::move(*text);
  return OkStatus();
}

Status ApplyPriority(const ProtoParameter& parameter, V2InferRequest& message) {
  if (const auto* value = std::get_if<std::uint64_t>(&parameter.value)) {
    message.priority = *value;
    return OkStatus();
  }
  const auto* value = std::get_if<std::int64_t>(&parameter.value);
  if (value == nullptr) {
    return WrongType(parameter.name, "int64_param or uint64_param");
  }
  if (*value < 0) {
    return InvalidArgument("parameters['priority']: {} is negative; 0 is the model's default",
                           *value);
  }
  message.priority = static_cast<std::uint64_t>(*value);
  return OkStatus();
}

Status ApplyTimeout(const ProtoParameter& parameter, V2InferRequest& message) {
  const auto* value = std::get_if<std::int64_t>(&parameter.value);
  if (value == nullptr) {
    return WrongType(parameter.name, "int64_param");
  }
  if (*value < 0) {
    return InvalidArgument("parameters['timeout']: {} is negative; 0 is the model's default",
                           *value);
  }
  message.timeout_us = static_cast<std::uint64_t>(*value);
  return OkStatus();
}

Status CheckName(const std::string& name) {
  if (name.starts_with("triton_")) {
    return InvalidArgument(
        "parameter keys starting with 'triton_' are reserved for Triton usage. Only the following "
        "keys starting with 'triton_' are allowed: {}",
        kEmptyFinalResponse);
  }
  if (name == "headers" || name == "binary_data_output") {
    return InvalidArgument(
        "parameter key '{}' is reserved for Triton usage and should not be specified.", name);
  }
  if (name.empty() || HasControlByte(name)) {
    return InvalidArgument("parameters: a key is empty or has control characters");
  }
  return OkStatus();
}

Status ApplyFree(ProtoParameter parameter, const V2ProtoLimits& limits, V2InferRequest& message) {
  HEADRACE_RETURN_IF_ERROR(CheckName(parameter.name));
  Parameter kept{.name = std::move(parameter.name), .value = {}};
  if (auto* text = std::get_if<std::string>(&parameter.value)) {
    kept.value = std::move(*text);
  } else if (const auto* number = std::get_if<std::int64_t>(&parameter.value)) {
    kept.value = *number;
  } else if (const auto* flag = std::get_if<bool>(&parameter.value)) {
    kept.value = *flag;
  } else if (const auto* real = std::get_if<double>(&parameter.value)) {
    kept.value = *real;
  } else {
    return WrongType(kept.name, "int64_param, bool_param, or string_param");
  }
  for (Parameter& before : message.parameters) {
    if (before.name == kept.name) {
      before = std::move(kept);
      return OkStatus();
    }
  }
  if (message.parameters.size() >= limits.parameter_count_max) {
    return InvalidArgument("parameters: more than {} parameters", limits.parameter_count_max);
  }
  message.parameters.push_back(std::move(kept));
  return OkStatus();
}

}  // namespace

Status ProtoError(const ProtoReader& reader, std::string_view path) {
  return InvalidArgument("unable to parse the ModelInferRequest: {}: {}", path, reader.error());
}

Status ReadProtoParameter(ProtoReader& reader, const V2ProtoLimits& limits, std::string_view path,
                          ProtoParameter& parameter) {
  ProtoReader entry;
  if (!reader.ReadMessage(entry)) {
    return ProtoError(reader, path);
  }
  while (entry.Next()) {
    if (entry.field() == 1) {
      entry.ReadString(parameter.name, limits.name_byte_size_max);
    } else if (entry.field() == 2) {
      ProtoReader value;
      if (entry.ReadMessage(value)) {
        while (value.Next() && ReadAlternative(value, limits, parameter)) {
        }
        if (!value.ok()) {
          entry.Fail(value.error());
        }
      }
    } else {
      entry.Skip();
    }
  }
  if (!entry.ok()) {
    return ProtoError(entry, fmt::format("{}['{}']", path, parameter.name.substr(0, kShownMax)));
  }
  return OkStatus();
}

Status ApplyRequestParameter(ProtoParameter parameter, const V2ProtoLimits& limits,
                             V2ProtoRequest& request) {
  const std::string& name = parameter.name;
  V2InferRequest& message = request.message;
  if (name == "sequence_id") {
    return ApplySequenceId(std::move(parameter), limits, message);
  }
  if (name == "sequence_start") {
    return ApplyFlag(parameter, kSequenceStart, message);
  }
  if (name == "sequence_end") {
    return ApplyFlag(parameter, kSequenceEnd, message);
  }
  if (name == "priority") {
    return ApplyPriority(parameter, message);
  }
  if (name == "timeout") {
    return ApplyTimeout(parameter, message);
  }
  if (name == kEmptyFinalResponse) {
    const auto* value = std::get_if<bool>(&parameter.value);
    if (value == nullptr) {
      return WrongType(name, "bool_param");
    }
    request.wants_empty_final_response = *value;
    return OkStatus();
  }
  return ApplyFree(std::move(parameter), limits, message);
}

bool SharedMemoryParameters::Take(const ProtoParameter& parameter, std::string_view tensor,
                                  Status& status) {
  if (parameter.name == "shared_memory_region") {
    if (const auto* text = std::get_if<std::string>(&parameter.value)) {
      region_ = *text;
    } else {
      status = InvalidArgument(
          "invalid value type for 'shared_memory_region' parameter for tensor name '{}', expected "
          "string_param.",
          tensor);
    }
    return true;
  }
  const bool is_size = parameter.name == "shared_memory_byte_size";
  if (!is_size && parameter.name != "shared_memory_offset") {
    return false;
  }
  const auto* number = std::get_if<std::int64_t>(&parameter.value);
  if (number == nullptr || *number < 0) {
    status = InvalidArgument(
        "invalid value type for '{}' parameter for tensor name '{}', expected int64_param that is "
        "not negative.",
        parameter.name, tensor);
  } else if (is_size) {
    byte_size_ = static_cast<std::uint64_t>(*number);
  } else {
    offset_ = static_cast<std::uint64_t>(*number);
  }
  return true;
}

Status SharedMemoryParameters::Finish(std::string_view tensor,
                                      std::optional<V2SharedMemory>& memory) const {
  if (!region_) {
    return OkStatus();
  }
  if (!byte_size_) {
    return InvalidArgument(
        "'shared_memory_byte_size' must be specified along with 'shared_memory_region' for tensor "
        "name '{}'",
        tensor);
  }
  memory = V2SharedMemory{*region_, offset_, *byte_size_};
  return OkStatus();
}

}  // namespace headrace::protocol
