#include "repository/handler_manifest.h"

#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "repository/names.h"
#include "repository/repository_files.h"

namespace headrace::repository {
namespace {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

constexpr std::size_t kDepthMax = 32;

Status Fault(std::string_view what) { return InvalidArgument("{}: {}", kManifestFile, what); }

Status ReadText(dom::object object, std::string_view key, std::string& value) {
  dom::element element;
  if (object.at_key(key).get(element) != simdjson::SUCCESS || element.is_null()) {
    return OkStatus();
  }
  std::string_view text;
  if (double number = 0; element.get(text) != simdjson::SUCCESS) {
    // Hand-written manifests have versions that are numbers.
    if (key != "modelVersion" || element.get(number) != simdjson::SUCCESS) {
      return Fault(fmt::format("'{}' must be a string", key));
    }
    value = fmt::format("{}", number);
    return OkStatus();
  }
  value = text;
  return OkStatus();
}

// "file", "folder/file.py", "file.py:function". Which module it is, the worker looks at.
Status CheckHandler(std::string_view handler) {
  const bool good = std::all_of(handler.begin(), handler.end(),
                                [](unsigned char c) { return c > 0x20 && c != 0x7f && c != '\\'; });
  return good ? OkStatus()
              : Fault(fmt::format("'handler' is no name of a handler: '{}'",
                                  EscapeForLog(handler, 64)));
}

Status CheckFile(const std::string& directory, std::string_view key, const std::string& file) {
  if (file.empty()) {
    return OkStatus();
  }
  const auto path = ResolveInside(directory, directory, file);
  if (!path.ok()) {
    return Fault(fmt::format("'{}': {}", key, path.status().message()));
  }
  std::error_code error;
  if (!fs::is_regular_file(*path, error)) {
    return Fault(
        fmt::format("'{}' names '{}', which is not in the archive", key, EscapeForLog(file, 128)));
  }
  return OkStatus();
}

}  // namespace

Result<HandlerManifest> ParseManifest(std::string_view json) {
  dom::parser parser;
  dom::object root, model;
  if (parser.allocate(json.size(), kDepthMax) != simdjson::SUCCESS) {
    return Internal("no memory to read {}", kManifestFile);
  }
  if (const auto error = parser.parse(json.data(), json.size()).get(root);
      error != simdjson::SUCCESS) {
    return Fault(fmt::format("it is no JSON object: {}", simdjson::error_message(error)));
  }
  if (root.at_key("model").get(model) != simdjson::SUCCESS) {
    return Fault("the object 'model' is missing");
  }
  std::string runtime;
  HEADRACE_RETURN_IF_ERROR(ReadText(root, "runtime", runtime));
  if (!runtime.empty() && !runtime.starts_with("python")) {
    return Fault(
        fmt::format("the runtime '{}' is not supported, only python", EscapeForLog(runtime, 32)));
  }
  HandlerManifest manifest;
  manifest.runtime = std::move(runtime);
  const std::initializer_list<std::pair<std::string_view, std::string*>> members = {
      {"modelName", &manifest.model_name},
      {"modelVersion", &manifest.model_version},
      {"handler", &manifest.handler},
      {"serializedFile", &manifest.serialized_file},
      {"modelFile", &manifest.model_file},
      {"configFile", &manifest.config_file},
      {"requirementsFile", &manifest.requirements_file},
      {"sourceVocab", &manifest.source_vocabulary}};
  for (const auto& [key, value] : members) {
    HEADRACE_RETURN_IF_ERROR(ReadText(model, key, *value));
  }
  if (!manifest.model_name.empty()) {
    if (const Status status = CheckModelName(manifest.model_name); !status.ok()) {
      return Fault(fmt::format("'modelName': {}", status.message()));
    }
  }
  HEADRACE_RETURN_IF_ERROR(CheckHandler(manifest.handler));
  return manifest;
}

Result<HandlerManifest> ReadManifest(const std::string& directory) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string json,
                            ReadFile(directory + "/" + kManifestFile, kManifestByteSizeMax));
  HEADRACE_ASSIGN_OR_RETURN(HandlerManifest manifest, ParseManifest(json));
  const std::initializer_list<std::pair<std::string_view, const std::string*>> files = {
      {"serializedFile", &manifest.serialized_file},
      {"modelFile", &manifest.model_file},
      {"configFile", &manifest.config_file},
      {"requirementsFile", &manifest.requirements_file},
      {"sourceVocab", &manifest.source_vocabulary}};
  for (const auto& [key, file] : files) {
    HEADRACE_RETURN_IF_ERROR(CheckFile(directory, key, *file));
  }
  return manifest;
}

}  // namespace headrace::repository
