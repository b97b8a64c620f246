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

// The three members that say where in a region a tensor lies.
struct SharedMemoryMembers {
  std::optional<std::string> region;
  std::optional<std::uint64_t> byte_size;
  std::uint64_t offset = 0;
  Status status;

  // False if `name` is none of them.
  bool Read(JsonCursor& cursor, const FieldPath& path, std::string_view name) {
    if (name == "shared_memory_region") {
      std::string_view text;
      if (!cursor.ReadString(text)) {
        status = FieldError(cursor, path, name);
      }
      region = std::string(text);
    } else if (name == "shared_memory_byte_size") {
      status = ReadUintMember(cursor, path, name, byte_size.emplace());
    } else if (name == "shared_memory_offset") {
      status = ReadUintMember(cursor, path, name, offset);
    } else {
      return false;
    }
    return true;
  }

  Status Finish(const FieldPath& path, std::optional<V2SharedMemory>& memory) {
    if (!region) {
      return OkStatus();
    }
    if (!byte_size) {
      return InvalidArgument(
          "'shared_memory_byte_size' must be specified together with 'shared_memory_region' ({})",
          path.Of("shared_memory_byte_size"));
    }
    memory = V2SharedMemory{*std::move(region), offset, *byte_size};
    return OkStatus();
  }
};

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
  SharedMemoryMembers memory;
  for (std::string_view name; cursor.NextField(name);) {
    if (name == "binary_data_size") {
      std::uint64_t size = 0;
      HEADRACE_RETURN_IF_ERROR(ReadUintMember(cursor, path, name, size));
      parameters.binary_data_size = size;
    } else if (!memory.Read(cursor, path, name)) {
      cursor.Skip();
    }
    HEADRACE_RETURN_IF_ERROR(memory.status);
  }
  HEADRACE_RETURN_IF_ERROR(cursor.status());
  return memory.Finish(path, parameters.shared_memory);
}

Status ReadOutputParameters(JsonCursor& cursor, FieldPath path, V2RequestedOutput& output) {
  if (!cursor.EnterObject()) {
    return FieldError(cursor, path, "parameters");
  }
  path.inside_parameters = true;
  SharedMemoryMembers memory;
  for (std::string_view name; cursor.NextField(name);) {
    if (name == "binary_data") {
      bool binary = false;
      HEADRACE_RETURN_IF_ERROR(ReadBoolMember(cursor, path, name, binary));
      output.binary_data = binary;
    } else if (name == "classification") {
      HEADRACE_RETURN_IF_ERROR(ReadUintMember(cursor, path, name, output.classification_count));
    } else if (!memory.Read(cursor, path, name)) {
      cursor.Skip();
    }
    HEADRACE_RETURN_IF_ERROR(memory.status);
  }
  HEADRACE_RETURN_IF_ERROR(cursor.status());
  HEADRACE_RETURN_IF_ERROR(memory.Finish(path, output.shared_memory));
  if (output.shared_memory && output.classification_count > 0) {
    return InvalidArgument("shared memory can't be used for classification output '{}' ({})",
                           output.name, path.Of("shared_memory_region"));
  }
  if (output.shared_memory && output.binary_data.value_or(false)) {
    return InvalidArgument(
        "output '{}' must set only one of 'binary_data' and 'shared_memory_region' ({})",
        output.name, path.Of("shared_memory_region"));
  }
  return OkStatus();
}

bool HasControlByte(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace headrace::protocol
