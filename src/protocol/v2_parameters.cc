#include "protocol/v2_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace headrace::protocol {
namespace {

constexpr std::uint32_t kSequenceStart = 1;
constexpr std::uint32_t kSequenceEnd = 2;
constexpr FieldPath kRequestPath{{}, 0, true};

Status ReadUintMember(JsonCursor& cursor, const FieldPath& path, std::string_view name,
                      std::uint64_t& value) {
  return cursor.ReadUint(value) ? OkStatus() : FieldError(cursor, path, name);
}

Status ReadBoolMember(JsonCursor& cursor, const FieldPath& path, std::string_view name,
                      bool& value) {
  return cursor.ReadBool(value) ? OkStatus() : FieldError(cursor, path, name);
}

Status ReadSequenceId(JsonCursor& cursor, const V2JsonLimits& limits, V2InferRequest& request) {
  if (cursor.Type() != JsonType::kString) {
    return ReadUintMember(cursor, kRequestPath, "sequence_id", request.correlation_id);
  }
  std::string_view text;
  if (!cursor.ReadString(text)) {
    return FieldError(cursor, kRequestPath, "sequence_id");
  }
  if (text.size() > limits.id_byte_size_max || HasControlByte(text)) {
    return InvalidArgument(
        "parameters.sequence_id: at most {} bytes and no control characters are accepted",
        limits.id_byte_size_max);
  }
  request.correlation_id_text = text;
  return OkStatus();
}

Status ReadSequenceFlag(JsonCursor& cursor, std::string_view name, std::uint32_t flag,
                        V2InferRequest& request) {
  bool value = false;
  HEADRACE_RETURN_IF_ERROR(ReadBoolMember(cursor, kRequestPath, name, value));
  request.sequence_flags |= value ? flag : 0;
  return OkStatus();
}

bool ReadParameterValue(JsonCursor& cursor, ParameterValue& value) {
  switch (cursor.Type()) {
    case JsonType::kString: {
      std::string_view text;
      const bool read = cursor.ReadString(text);
      value = std::string(text);
      return read;
    }
    case JsonType::kBool: {
      bool flag = false;
      const bool read = cursor.ReadBool(flag);
      value = flag;
      return read;
    }
    case JsonType::kNumber: {
      if (cursor.IsInteger()) {
        std::int64_t number = 0;
        const bool read = cursor.ReadInt(number);
        value = number;
        return read;
      }
      double number = 0;
      const bool read = cursor.ReadDouble(number);
      value = number;
      return read;
    }
    default:
      return cursor.Skip() &&
             cursor.Fail(InvalidArgument("it has an invalid type. It should be either 'int', "
                                         "'bool', 'string', or 'double'."));
  }
}

Status ReadFreeParameter(JsonCursor& cursor, std::string_view name, const V2JsonLimits& limits,
                         V2InferRequest& request) {
  if (name.starts_with("triton_")) {
    return InvalidArgument(
        "parameter keys starting with 'triton_' are reserved for Triton usage and should not be "
        "specified.");
  }
  if (name == "headers") {
    return InvalidArgument(
        "parameter key 'headers' is reserved for Triton usage and should not be specified.");
  }
  if (HasControlByte(name)) {
    return InvalidArgument("parameters: a key has control characters");
  }
  if (request.parameters.size() >= limits.parameter_count_max) {
    return InvalidArgument("parameters: more than {} parameters", limits.parameter_count_max);
  }
  Parameter parameter;
  parameter.name = name;
  if (!ReadParameterValue(cursor, parameter.value)) {
    return cursor.status().WithPrefix(
        fmt::format("Unable to parse '{}': ", kRequestPath.Of(name.substr(0, 64))));
  }
  request.parameters.push_back(std::move(parameter));
  return OkStatus();
}

Status ReadRequestParameter(JsonCursor& cursor, std::string_view name, const V2JsonLimits& limits,
                            V2InferRequest& request) {
  if (name == "binary_data_output") {
    return ReadBoolMember(cursor, kRequestPath, name, request.binary_output_default);
  }
  if (name == "sequence_id") {
    return ReadSequenceId(cursor, limits, request);
  }
  if (name == "sequence_start") {
    return ReadSequenceFlag(cursor, name, kSequenceStart, request);
  }
  if (name == "sequence_end") {
    return ReadSequenceFlag(cursor, name, kSequenceEnd, request);
  }
  if (name == "priority") {
    return ReadUintMember(cursor, kRequestPath, name, request.priority);
  }
  if (name == "timeout") {
    return ReadUintMember(cursor, kRequestPath, name, request.timeout_us);
  }
  return ReadFreeParameter(cursor, name, limits, request);
}

}  // namespace

std::string FieldPath::Of(std::string_view member) const {
  std::string path;
  if (!list.empty()) {
    path = fmt::format("{}[{}].", list, index);
  }
  path += inside_parameters ? "parameters." : "";
  path += member;
  return path;
}

Status FieldError(const JsonCursor& cursor, const FieldPath& path, std::string_view member) {
  if (!cursor.is_type_error()) {
    return cursor.status();
  }
  return InvalidArgument("Unable to parse '{}': {} ({})", member, cursor.status().message(),
                         path.Of(member));
}

Status ReadRequestParameters(JsonCursor& cursor, const V2JsonLimits& limits,
                             V2InferRequest& request) {
  if (!cursor.EnterObject()) {
    return FieldError(cursor, FieldPath(), "parameters");
  }
  for (std::string_view name; cursor.NextField(name);) {
    HEADRACE_RETURN_IF_ERROR(ReadRequestParameter(cursor, name, limits, request));
  }
  return cursor.status();
}

Status ReadInputParameters(JsonCursor& cursor, FieldPath path, InputParameters& parameters) {
  if (!cursor.EnterObject()) {
    return FieldError(cursor, path, "parameters");
  }
  path.inside_parameters = true;
  for (std::string_view name; cursor.NextField(name);) {
    if (name == "binary_data_size") {
      std::uint64_t size = 0;
      HEADRACE_RETURN_IF_ERROR(ReadUintMember(cursor, path, name, size));
      parameters.binary_data_size = size;
    } else {
      parameters.shared_memory |= name == "shared_memory_region";
      cursor.Skip();
    }
  }
  return cursor.status();
}

Status ReadOutputParameters(JsonCursor& cursor, FieldPath path, V2RequestedOutput& output) {
  if (!cursor.EnterObject()) {
    return FieldError(cursor, path, "parameters");
  }
  path.inside_parameters = true;
  bool shared_memory = false;
  for (std::string_view name; cursor.NextField(name);) {
    if (name == "binary_data") {
      bool binary = false;
      HEADRACE_RETURN_IF_ERROR(ReadBoolMember(cursor, path, name, binary));
      output.binary_data = binary;
    } else if (name == "classification") {
      HEADRACE_RETURN_IF_ERROR(ReadUintMember(cursor, path, name, output.classification_count));
    } else {
      shared_memory |= name == "shared_memory_region";
      cursor.Skip();
    }
  }
  HEADRACE_RETURN_IF_ERROR(cursor.status());
  return shared_memory ? SharedMemoryDisabled() : OkStatus();
}

Status SharedMemoryDisabled() {
  return Unimplemented(
      "Client shared memory is disabled. Start the server with '--allow-client-shm=true' to "
      "enable.");
}

bool HasControlByte(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace headrace::protocol
