#include "store/workflow_archive.h"

#include <simdjson.h>

#include <filesystem>
#include <initializer_list>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "repository/archive_unpack.h"
#include "repository/handler_manifest.h"
#include "repository/names.h"
#include "repository/repository_files.h"
#include "repository/yaml_json.h"

namespace headrace::store {
namespace {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

constexpr std::size_t kDepthMax = 32;

StoreError Invalid(const Status& status) {
  return {StoreFault::kInvalidModel, fmt::format("Invalid workflow archive: {}", status.message())};
}

Status ReadText(dom::object object, std::string_view key, std::string& value) {
  dom::element element;
  if (object.at_key(key).get(element) != simdjson::SUCCESS || element.is_null()) {
    return OkStatus();
  }
  std::string_view text;
  if (element.get(text) != simdjson::SUCCESS) {
    return InvalidArgument("{}: '{}' must be a string", kWorkflowManifestFile, key);
  }
  value = text;
  return OkStatus();
}

// The content of a file that the manifest names.
Result<std::string> ReadNamed(const std::string& directory, std::string_view member,
                              const std::string& file, std::size_t byte_size_max) {
  const auto read = [&]() -> Result<std::string> {
    HEADRACE_ASSIGN_OR_RETURN(const std::string path,
                              repository::ResolveInside(directory, directory, file));
    return repository::ReadFile(path, byte_size_max);
  };
  Result<std::string> content = read();
  return content.ok() ? std::move(content)
                      : content.status().WithPrefix(
                            fmt::format("{}: '{}' names '{}': ", kWorkflowManifestFile, member,
                                        EscapeForLog(file, 128)));
}

StoreError Unpack(const std::string& path, const repository::ArchiveLimits& limits,
                  repository::OverrideStore& unpacked, WorkflowArchive& archive) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    archive.directory = fs::canonical(path, error).string();
    const auto inside = repository::InspectDirectory(archive.directory, archive.directory, false);
    return inside.ok() ? StoreError() : Invalid(inside.status());
  }
  Result<repository::ModelSource> source = unpacked.CreateEmpty("workflow");
  if (!source.ok()) {
    return {StoreFault::kInternal, source.status().message()};
  }
  archive.files = source->files;
  if (const Status status = repository::UnpackArchive(path, source->location.directory, limits);
      !status.ok()) {
    return status.code() == StatusCode::kInternal
               ? StoreError{StoreFault::kInternal, status.message()}
               : Invalid(status);
  }
  archive.directory = fs::canonical(source->location.directory, error).string();
  return {};
}

}  // namespace

Result<WorkflowManifest> ParseWorkflowManifest(std::string_view json) {
  dom::parser parser;
  dom::object root, workflow;
  if (parser.allocate(json.size(), kDepthMax) != simdjson::SUCCESS) {
    return Internal("no memory to read {}", kWorkflowManifestFile);
  }
  if (const auto error = parser.parse(json.data(), json.size()).get(root);
      error != simdjson::SUCCESS) {
    return InvalidArgument("Failed to parse signature.json. {}: {}", kWorkflowManifestFile,
                           simdjson::error_message(error));
  }
  if (root.at_key("workflow").get(workflow) != simdjson::SUCCESS) {
    return InvalidArgument("Missing Workflow entry in manifest file.");
  }
  WorkflowManifest manifest;
  const std::initializer_list<std::pair<std::string_view, std::string*>> members = {
      {"workflowName", &manifest.name},
      {"specFile", &manifest.spec_file},
      {"handler", &manifest.handler}};
  for (const auto& [key, value] : members) {
    HEADRACE_RETURN_IF_ERROR(ReadText(workflow, key, *value));
  }
  if (manifest.name.empty()) {
    return InvalidArgument("Workflow name is not defined.");
  }
  HEADRACE_RETURN_IF_ERROR(repository::CheckModelName(manifest.name).WithPrefix("workflowName: "));
  if (manifest.spec_file.empty()) {
    return InvalidArgument("{}: 'specFile' is missing", kWorkflowManifestFile);
  }
  return manifest;
}

StoreError OpenWorkflowArchive(const std::string& path, const repository::ArchiveLimits& limits,
                               repository::OverrideStore& unpacked, WorkflowArchive& archive) {
  if (StoreError error = Unpack(path, limits, unpacked, archive); !error.ok()) {
    return error;
  }
  const Result<std::string> json = repository::ReadFile(
      archive.directory + "/" + kWorkflowManifestFile, repository::kManifestByteSizeMax);
  if (!json.ok()) {
    return Invalid(json.status().code() == StatusCode::kNotFound
                       ? InvalidArgument("it holds no {}", kWorkflowManifestFile)
                       : json.status());
  }
  Result<WorkflowManifest> manifest = ParseWorkflowManifest(*json);
  if (!manifest.ok()) {
    return Invalid(manifest.status());
  }
  archive.manifest = *std::move(manifest);
  if (!archive.manifest.handler.empty()) {
    // It is Python's to read; here it has to be there.
    const Result<std::string> handler = ReadNamed(
        archive.directory, "handler", archive.manifest.handler, repository::kManifestByteSizeMax);
    if (!handler.ok()) {
      return Invalid(handler.status());
    }
  }
  const Result<std::string> yaml = ReadNamed(
      archive.directory, "specFile", archive.manifest.spec_file, repository::kYamlByteSizeMax);
  if (!yaml.ok()) {
    return Invalid(yaml.status());
  }
  Result<WorkflowSpec> spec = ParseWorkflowSpec(*yaml, !archive.manifest.handler.empty());
  if (!spec.ok()) {
    return {StoreFault::kBadRequest,
            fmt::format("Invalid workflow specification: {}: {}",
                        EscapeForLog(archive.manifest.spec_file, 128), spec.status().message())};
  }
  archive.spec = *std::move(spec);
  return {};
}

}  // namespace headrace::store
