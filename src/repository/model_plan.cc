#include "repository/model_plan.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "repository/config_json.h"
#include "repository/config_text.h"
#include "repository/field_verdicts.h"
#include "repository/normalise.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"
#include "repository/validate.h"
#include "repository/version_policy.h"

namespace headrace::repository {
namespace {

namespace fs = std::filesystem;

// The configuration file's name in the model's directory.
std::string ConfigFileName(const ModelLocation& location, const PlanOptions& options) {
  if (!options.model_config_name.empty()) {
    std::string custom = "configs/" + options.model_config_name + ".pbtxt";
    std::error_code error;
    if (fs::exists(fs::path(location.directory) / custom, error)) {
      return custom;
    }
  }
  return "config.pbtxt";
}

Result<inference::ModelConfig> ReadConfig(const ModelLocation& location,
                                          const PlanOptions& options) {
  const std::string file = ConfigFileName(location, options);
  auto text = ReadFile(location.directory + "/" + file, kConfigByteSizeMax);
  if (!text.ok()) {
    if (text.status().code() != StatusCode::kNotFound) {
      return text.status();
    }
    if (!options.auto_complete_config) {
      return InvalidArgument("{} is missing, and completion of configurations is disabled", file);
    }
    return inference::ModelConfig();
  }
  return ParseConfigText(*text, file);
}

Result<inference::ModelConfig> ReadOverride(const std::string& json) {
  auto config = ConfigFromJson(json);
  return config.ok() ? std::move(config) : config.status().WithPrefix("Invalid config override: ");
}

// Labels, operator libraries and the like are opened by path: none of them may lead out of the
// repository.
Status CheckNamedFiles(const ModelLocation& location, const inference::ModelConfig& config,
                       bool links_may_leave) {
  const std::string root = links_may_leave ? "/" : location.repository;
  for (const auto& output : config.output()) {
    if (!output.label_filename().empty()) {
      auto path = ResolveInside(root, location.directory, output.label_filename());
      if (!path.ok()) {
        return path.status().WithPrefix(fmt::format("label file of output '{}': ", output.name()));
      }
    }
  }
  for (const auto& sample : config.model_warmup()) {
    for (const auto& [name, input] : sample.inputs()) {
      if (!input.input_data_file().empty()) {
        auto path = ResolveInside(root, location.directory, "warmup/" + input.input_data_file());
        if (!path.ok()) {
          return path.status().WithPrefix(fmt::format("warm-up file of input '{}': ", name));
        }
      }
    }
  }
  return OkStatus();
}

Status Normalise(const ModelLocation& location, const VersionList& list, const PlanOptions& options,
                 inference::ModelConfig& config) {
  std::vector<std::string> entries;
  if (!list.versions.empty()) {
    entries = ListEntries(fmt::format("{}/{}", location.directory, list.versions.front()));
  }
  HEADRACE_RETURN_IF_ERROR(CompleteBackend(location.name, entries, config));
  HEADRACE_RETURN_IF_ERROR(FillDefaults(location.name, config));
  HEADRACE_RETURN_IF_ERROR(ValidateGeneral(config));
  // A backend that completes the configuration may fill in what tensors lack; what is there must be
  // right already.
  HEADRACE_RETURN_IF_ERROR(options.auto_complete_config ? OkStatus() : ValidateTensors(config));
  FillInstanceGroups(location.name, options.gpu_count, config);
  return ValidateInstanceGroups(config, options.gpu_count);
}

Status SelectPlanVersions(const VersionList& list, const inference::ModelConfig& config,
                          ModelPlan& plan) {
  VersionSelection selection = SelectVersions(config.version_policy(), list.versions);
  for (const std::int64_t version : selection.missing) {
    plan.warnings.push_back(
        fmt::format("version {} is named by the version policy but does not exist", version));
  }
  if (selection.wanted.empty()) {
    return InvalidArgument(
        "at least one version must be available under the version policy of model '{}'",
        plan.location.name);
  }
  plan.versions = std::move(selection.wanted);
  return OkStatus();
}

std::uint64_t HashText(const std::string& text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash;
}

}  // namespace

Result<ModelPlan> PlanModel(const ModelLocation& location, const std::string* override_json,
                            const PlanOptions& options) {
  ModelPlan plan;
  plan.location = location;
  plan.auto_complete = options.auto_complete_config;
  plan.gpu_count = options.gpu_count;
  HEADRACE_ASSIGN_OR_RETURN(
      const DirectorySummary summary,
      InspectDirectory(location.repository, location.directory, options.links_may_leave));
  HEADRACE_ASSIGN_OR_RETURN(const VersionList list, ListVersions(location.directory));
  for (const std::string& name : list.ignored) {
    plan.warnings.push_back(fmt::format(
        "'{}' is ignored: a version is a directory named by a positive number without leading zero",
        EscapeForLog(name, 64)));
  }
  HEADRACE_ASSIGN_OR_RETURN(inference::ModelConfig config, override_json != nullptr
                                                               ? ReadOverride(*override_json)
                                                               : ReadConfig(location, options));
  // Faults first, then what we cannot do; and only what the user wrote is warned about.
  const inference::ModelConfig written = config;
  HEADRACE_RETURN_IF_ERROR(Normalise(location, list, options, config));
  for (std::string& warning : AddAccelerators(options.accelerators, location.name, config)) {
    plan.warnings.push_back(std::move(warning));
  }
  HEADRACE_ASSIGN_OR_RETURN(std::vector<std::string> warnings, JudgeFields(written));
  plan.warnings.insert(plan.warnings.end(), warnings.begin(), warnings.end());
  HEADRACE_RETURN_IF_ERROR(CheckNamedFiles(location, config, options.links_may_leave));
  HEADRACE_RETURN_IF_ERROR(SelectPlanVersions(list, config, plan));
  plan.fingerprint = summary.fingerprint ^ HashText(ConfigToJson(config));
  plan.config = std::make_shared<const inference::ModelConfig>(std::move(config));
  return plan;
}

}  // namespace headrace::repository
