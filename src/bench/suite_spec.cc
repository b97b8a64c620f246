#include "bench/suite_spec.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "bench/suite_forms.h"
#include "bench/yaml_fields.h"

namespace headrace::bench {
namespace {

namespace fs = std::filesystem;

enum class FileKind : std::uint8_t { kOwn, kTorchServe, kTorchServeModel, kUnknown };

// Ours has a list of maps as `models`, TorchServe's a list of file names; a model file of
// TorchServe's has {model: {mode: {url: ...}}}.
FileKind KindOf(const YAML::Node& root) {
  if (!root.IsMap()) {
    return FileKind::kUnknown;
  }
  const YAML::Node models = root["models"];
  if (models.IsDefined()) {
    const bool names = models.IsSequence() && models.size() > 0 && models[0].IsScalar();
    return names ? FileKind::kTorchServe : FileKind::kOwn;
  }
  for (const auto& model : root) {
    if (!model.second.IsMap()) {
      return FileKind::kUnknown;
    }
    for (const auto& mode : model.second) {
      if (!mode.second.IsMap() || !mode.second["url"].IsDefined()) {
        return FileKind::kUnknown;
      }
    }
  }
  return root.size() > 0 ? FileKind::kTorchServeModel : FileKind::kUnknown;
}

Status CheckNames(const SuiteSpec& spec) {
  std::set<std::string> names;
  for (const SuiteModel& model : spec.models) {
    if (!names.insert(model.name).second) {
      return InvalidArgument("{}: two models are called '{}'; give one of them a `name`", spec.file,
                             model.name);
    }
  }
  return OkStatus();
}

Result<SuiteSpec> Read(const std::string& path) {
  HEADRACE_ASSIGN_OR_RETURN(const YAML::Node root, LoadYaml(path));
  YamlFaults faults(path);
  SuiteSpec spec;
  spec.file = path;
  spec.name = fs::path(path).stem().string();
  switch (KindOf(root)) {
    case FileKind::kOwn:
      ReadOwnForm(root, faults, spec);
      break;
    case FileKind::kTorchServe:
      ReadTorchServeForm(root, faults, spec);
      break;
    case FileKind::kTorchServeModel:
      ReadTorchServeModels(root, faults, spec);
      break;
    case FileKind::kUnknown:
      return InvalidArgument(
          "{}: this is no suite: it has neither `models` (a list) nor TorchServe's form of a model "
          "file, model: {{mode: {{url: ...}}}}; docs/bench.md shows both",
          path);
  }
  HEADRACE_RETURN_IF_ERROR(faults.status());
  if (spec.models.empty()) {
    return InvalidArgument("{}: models: there is none", path);
  }
  HEADRACE_RETURN_IF_ERROR(CheckNames(spec));
  return spec;
}

}  // namespace

std::string ResolvePath(const std::string& file, const std::string& path) {
  std::error_code error;
  const fs::path beside = fs::path(file).parent_path() / path;
  for (const fs::path& candidate : {beside, fs::path(path)}) {
    if (!path.empty() && fs::exists(candidate, error)) {
      return candidate.lexically_normal().string();
    }
  }
  return "";
}

Result<SuiteSpec> ReadSuite(const std::string& path) {
  try {
    return Read(path);
  } catch (const YAML::Exception& error) {
    return InvalidArgument("{}:{}: {}", path, error.mark.line + 1, error.msg);
  }
}

}  // namespace headrace::bench
