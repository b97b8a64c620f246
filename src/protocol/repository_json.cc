#include "protocol/repository_json.h"

#include <utility>

#include "protocol/base64.h"
#include "protocol/json_cursor.h"
#include "protocol/v2_parameters.h"

namespace headrace::protocol {
namespace {

constexpr std::size_t kDepthMax = 64;
constexpr FieldPath kParametersPath{{}, 0, true};
constexpr std::string_view kFilePrefix = "file:";

// Calls `read(name)` for each member of the `parameters` object of the body, when there is one.
template <typename Read>
Status ReadParameters(std::string_view body, JsonCursor& cursor, Read read) {
  if (body.empty()) {
    return OkStatus();
  }
  cursor.Open(body, kDepthMax);
  for (std::string_view key; cursor.NextField(key);) {
    if (key != "parameters") {
      cursor.Skip();
      continue;
    }
    if (!cursor.EnterObject()) {
      return FieldError(cursor, FieldPath(), key);
    }
    for (std::string_view name; cursor.NextField(name);) {
      HEADRACE_RETURN_IF_ERROR(read(name));
    }
  }
  cursor.Close();
  return cursor.status();
}

Status UnknownParameter(std::string_view name) {
  return InvalidArgument(
      "unexpected error on creating Triton parameter: '{}' is not a known parameter",
      name.substr(0, 128));
}

class LoadReader {
 public:
  LoadReader(JsonCursor& cursor, const ModelLoadLimits& limits)
      : cursor_(cursor), limits_(limits) {}

  Status ReadParameter(std::string_view name, ModelLoadRequest& request) {
    if (name == "config") {
      return ReadConfig(request);
    }
    if (name.starts_with(kFilePrefix)) {
      return ReadFile(name, request);
    }
    return UnknownParameter(name);
  }

 private:
  Status ReadConfig(ModelLoadRequest& request) {
    std::string_view text;
    if (!cursor_.ReadString(text)) {
      return FieldError(cursor_, kParametersPath, "config");
    }
    if (text.size() > limits_.config_byte_size_max) {
      return ResourceExhausted("parameters.config: {} bytes exceed the limit of {}", text.size(),
                               limits_.config_byte_size_max);
    }
    request.config = text;
    return OkStatus();
  }

  Status ReadFile(std::string_view name, ModelLoadRequest& request) {
    const std::string_view path = name.substr(kFilePrefix.size());
    if (path.empty() || HasControlByte(path)) {
      return InvalidArgument(
          "parameters: a 'file:' parameter needs a path without control characters");
    }
    if (request.files.size() >= limits_.file_count_max) {
      return ResourceExhausted("parameters: more than {} 'file:' parameters",
                               limits_.file_count_max);
    }
    std::string_view text;
    if (!cursor_.ReadString(text)) {
      return FieldError(cursor_, kParametersPath, name.substr(0, 128));
    }
    Result<std::string> content = DecodeBase64(text);
    if (!content.ok()) {
      return InvalidArgument("Unable to parse '{}': {}", name.substr(0, 128),
                             content.status().message());
    }
    request.files.push_back({std::string(path), std::move(content).value()});
    return OkStatus();
  }

  JsonCursor& cursor_;
  const ModelLoadLimits& limits_;
};

}  // namespace

Result<RepositoryIndexRequest> ParseRepositoryIndexRequest(std::string_view body) {
  RepositoryIndexRequest request;
  if (body.empty()) {
    return request;
  }
  JsonCursor cursor;
  cursor.Open(body, kDepthMax);
  for (std::string_view key; cursor.NextField(key);) {
    if (key != "ready") {
      cursor.Skip();
    } else if (!cursor.ReadBool(request.ready_only)) {
      return FieldError(cursor, FieldPath(), key);
    }
  }
  if (!cursor.Close()) {
    return cursor.status();
  }
  return request;
}

Result<ModelLoadRequest> ParseModelLoadRequest(std::string_view body,
                                               const ModelLoadLimits& limits) {
  if (body.size() > limits.body_byte_size_max) {
    return ResourceExhausted(
        "load request of {} bytes exceeds the maximum allowed input size of {} bytes.", body.size(),
        limits.body_byte_size_max);
  }
  JsonCursor cursor;
  ModelLoadRequest request;
  LoadReader reader(cursor, limits);
  HEADRACE_RETURN_IF_ERROR(ReadParameters(
      body, cursor, [&](std::string_view name) { return reader.ReadParameter(name, request); }));
  if (!request.files.empty() && !request.config) {
    return InvalidArgument(
        "parameters: 'config' must be given together with 'file:' parameters, so that the files "
        "have a model");
  }
  return request;
}

Result<ModelUnloadRequest> ParseModelUnloadRequest(std::string_view body) {
  JsonCursor cursor;
  ModelUnloadRequest request;
  HEADRACE_RETURN_IF_ERROR(ReadParameters(body, cursor, [&](std::string_view name) {
    if (name != "unload_dependents") {
      return UnknownParameter(name);
    }
    return cursor.ReadBool(request.unload_dependents) ? OkStatus()
                                                      : FieldError(cursor, kParametersPath, name);
  }));
  return request;
}

}  // namespace headrace::protocol
