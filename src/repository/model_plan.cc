#include "repository/model_plan.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "repository/config_json.h"
#include "repository/config_text.h"
#include "repository/field_verdicts.h"
#include "repository/handler_config.h"
#include "repository/handler_model.h"
#include "repository/namespaces.h"
#include "repository/normalise.h"
#include "repository/override_rules.h"
#include "repository/protobuf_messages.h"
#include "repository/validate.h"
#include "repository/version_policy.h"

namespace headrace::repository {
namespace {

namespace fs = std::filesystem;

constexpr char kConfigFile[] = "config.pbtxt";
constexpr char kCustomConfigDirectory[] = "configs";

// The configuration file's name in the model's directory.
std::string ConfigFileName(const ModelLocation& location, const PlanOptions& options) {
  if (!options.model_config_name.empty()) {
    std::string custom =
        fmt::format("{}/{}.pbtxt", kCustomConfigDirectory, options.model_config_name);
    std::error_code error;
    if (fs::exists(fs::path(location.directory) / custom, error)) {
      return custom;
    }
  }
  return kConfigFile;
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
        auto path = ResolveInside(root, location.directory + "/warmup", input.input_data_file());
        if (!path.ok()) {
          return path.status().WithPrefix(fmt::format("warm-up file of input '{}': ", name));
        }
      }
    }
  }
  return OkStatus();
}

// What the model asks for and the server was not started with.
void WarnOfServices(const inference::ModelConfig& config, const PlanOptions& options,
                    std::vector<std::string>& warnings) {
  if (config.response_cache().enable() && !options.has_response_cache) {
    warnings.emplace_back(
        "field 'response_cache.enable' has no effect: there is no response cache; start the server "
        "with --cache-config=local,size=BYTES");
  }
  const auto& steps = config.ensemble_scheduling().step();
  if (options.namespaces == nullptr &&
      std::any_of(steps.begin(), steps.end(),
                  [](const auto& step) { return !step.model_namespace().empty(); })) {
    warnings.emplace_back(
        "field 'ensemble_scheduling.step.model_namespace' has no effect: repositories are no "
        "namespaces; start the server with --model-namespacing=true");
  }
  const auto& groups = config.instance_group();
  if (!options.has_rate_limiter && std::any_of(groups.begin(), groups.end(), [](const auto& group) {
        return group.has_rate_limiter();
      })) {
    warnings.emplace_back(
        "field 'instance_group.rate_limiter' has no effect: the rate limiter is off; start the "
        "server with --rate-limit=execution_count");
  }
}

// Those that instances of no named kind go to.
std::vector<int> GpusFor(const ModelLocation& location, const VersionList& list,
                         const PlanOptions& options, const inference::ModelConfig& config) {
  if (options.gpus.ids.empty() || options.gpus.wanted_by_backend == nullptr) {
    return options.gpus.ids;
  }
  engine::LoadSpec spec;
  spec.model_name = location.name;
  spec.version = list.versions.empty() ? 1 : list.versions.front();
  spec.backend = config.backend();
  spec.runtime = config.runtime();
  spec.model_directory = location.directory;
  return options.gpus.wanted_by_backend(spec) ? options.gpus.ids : std::vector<int>();
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
  FillInstanceGroups(location.name, GpusFor(location, list, options, config), config);
  return ValidateInstanceGroups(config, options.gpus);
}

// Completes the configuration of a model that is a TorchServe handler, and unpacks its archives;
// nothing for others. `source` is where the files are then.
Status PrepareHandler(const VersionList& list, const PlanOptions& options, ModelSource& source,
                      inference::ModelConfig& config, ModelPlan& plan) {
  if (!IsHandlerModel(source.location, list, config)) {
    return OkStatus();
  }
  if (options.unpacked == nullptr) {
    return Unimplemented("archives of models are not supported here");
  }
  const auto wanted = SelectVersions(config.version_policy(), list.versions).wanted;
  if (wanted.empty()) {
    return OkStatus();  // refused below, as for any model
  }
  HEADRACE_ASSIGN_OR_RETURN(
      const std::vector<HandlerVersion> versions,
      PrepareHandlerVersions(wanted, options.archives, *options.unpacked, source));
  for (std::string& warning : CompleteHandlerConfig(versions, options.gpus.ids, config)) {
    plan.warnings.push_back(std::move(warning));
  }
  return OkStatus();
}

Status SelectPlanVersions(const std::string& name, const VersionList& list,
                          const inference::ModelConfig& config, ModelPlan& plan) {
  VersionSelection selection = SelectVersions(config.version_policy(), list.versions);
  for (const std::int64_t version : selection.missing) {
    plan.warnings.push_back(
        fmt::format("version {} is named by the version policy but does not exist", version));
  }
  if (selection.wanted.empty()) {
    return InvalidArgument(
        "at least one version must be available under the version policy of model '{}'", name);
  }
  plan.versions = std::move(selection.wanted);
  return OkStatus();
}

// What every version of the model depends on; the rest is changed in place.
std::uint64_t SettingsFingerprint(const inference::ModelConfig& config) {
  inference::ModelConfig settings = config;
  settings.clear_instance_group();
  settings.clear_version_policy();
  Fingerprint fingerprint;
  fingerprint.Add(ConfigToJson(settings));
  return fingerprint.value();
}

// Whether versions depend on this entry of the model's directory. Not on other versions, also those
// under a provisional name, nor on hidden files; the configuration is compared by its meaning.
bool IsShared(const std::string& entry) {
  const char first = entry.front();
  return first != '.' && first != '-' && !(first >= '0' && first <= '9') && entry != kConfigFile &&
         entry != kCustomConfigDirectory;
}

// The namespaces in the steps of an ensemble: those that the models have, or none.
Status ResolveSteps(const ModelLocation& location, const PlanOptions& options,
                    inference::ModelConfig& config) {
  if (options.namespaces != nullptr) {
    return options.namespaces->ResolveSteps(location.name_space, config);
  }
  if (config.has_ensemble_scheduling()) {
    for (auto& step : *config.mutable_ensemble_scheduling()->mutable_step()) {
      step.clear_model_namespace();
    }
  }
  return OkStatus();
}

// Requires resolved steps.
std::vector<ComposingModel> PartsOf(const inference::ModelConfig& config) {
  std::vector<ComposingModel> parts;
  for (const auto& step : config.ensemble_scheduling().step()) {
    parts.push_back({engine::MakeModelKey(step.model_namespace(), step.model_name()),
                     step.model_version() > 0 ? step.model_version() : -1});
  }
  std::sort(parts.begin(), parts.end());
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  return parts;
}

Result<inference::ModelConfig> ReadConfig(const ModelSource& source, const PlanOptions& options) {
  HEADRACE_ASSIGN_OR_RETURN(inference::ModelConfig config,
                            source.config_json ? ReadOverride(*source.config_json)
                                               : ReadConfig(source.location, options));
  if (source.location.mapped) {
    config.clear_name();
  }
  if (source.files != nullptr && !options.allow_code_override) {
    HEADRACE_RETURN_IF_ERROR(CheckOverrideConfig(config));
  }
  return config;
}

// Whether the model's agents have acted; its location may be another one then.
Result<bool> RunAgents(const inference::ModelConfig& config, const PlanOptions& options,
                       ModelSource& source) {
  if (config.model_repository_agents().agents().empty() || source.agents != nullptr) {
    return false;
  }
  if (options.agents == nullptr) {
    return Unimplemented("field 'model_repository_agents' is not supported: there are no agents");
  }
  engine::AgentTask task{.model_name = source.location.name,
                         .model_directory = source.location.directory,
                         .config_json = ConfigToJson(config),
                         .agents = {}};
  for (const auto& agent : config.model_repository_agents().agents()) {
    task.agents.push_back({agent.name(), {agent.parameters().begin(), agent.parameters().end()}});
  }
  HEADRACE_ASSIGN_OR_RETURN(source.agents, options.agents->Load(std::move(task)));
  if (source.agents->directory() == source.location.directory) {
    return true;
  }
  std::error_code error;
  const fs::path directory = fs::canonical(source.agents->directory(), error);
  if (error || !fs::is_directory(directory, error)) {
    return InvalidArgument("the repository agents put the model into '{}', which is no directory",
                           source.agents->directory());
  }
  source.location.directory = directory.string();
  source.location.repository = directory.string();
  return true;
}

}  // namespace

std::uint64_t ModelPlan::VersionFingerprint(std::int64_t version,
                                            const DirectorySummary& summary) const {
  Fingerprint fingerprint;
  fingerprint.Add(settings_fingerprint);
  for (const auto& [entry, value] : summary.entries) {
    if (IsShared(entry) || entry == std::to_string(version)) {
      fingerprint.Add(entry);
      fingerprint.Add(value);
    }
  }
  return fingerprint.value();
}

Result<ModelPlan> PlanModel(ModelSource source, const PlanOptions& options) {
  const ModelLocation& location = source.location;
  ModelPlan plan;
  plan.auto_complete = options.auto_complete_config;
  // A manifest of variants chooses backends, as a configuration that is checked does.
  plan.may_have_variants = source.files == nullptr || options.allow_code_override;
  HEADRACE_ASSIGN_OR_RETURN(
      plan.directory,
      InspectDirectory(location.repository, location.directory, options.links_may_leave));
  HEADRACE_ASSIGN_OR_RETURN(VersionList list, ListVersions(location.directory));
  HEADRACE_ASSIGN_OR_RETURN(inference::ModelConfig config, ReadConfig(source, options));
  HEADRACE_ASSIGN_OR_RETURN(const bool acted, RunAgents(config, options, source));
  if (acted) {
    HEADRACE_ASSIGN_OR_RETURN(
        plan.directory,
        InspectDirectory(location.repository, location.directory, options.links_may_leave));
    HEADRACE_ASSIGN_OR_RETURN(list, ListVersions(location.directory));
    HEADRACE_ASSIGN_OR_RETURN(config, ReadConfig(source, options));
  }
  for (const std::string& name : list.ignored) {
    plan.warnings.push_back(fmt::format(
        "'{}' is ignored: a version is a directory named by a positive number without leading zero",
        EscapeForLog(name, 64)));
  }
  // Faults first, then what we cannot do; and only what the user wrote is warned about.
  const inference::ModelConfig written = config;
  plan.watched = source.location;
  HEADRACE_RETURN_IF_ERROR(PrepareHandler(list, options, source, config, plan));
  HEADRACE_RETURN_IF_ERROR(Normalise(location, list, options, config));
  HEADRACE_RETURN_IF_ERROR(ResolveSteps(location, options, config));
  for (std::string& warning : AddAccelerators(options.accelerators, location.name, config)) {
    plan.warnings.push_back(std::move(warning));
  }
  HEADRACE_ASSIGN_OR_RETURN(std::vector<std::string> warnings, JudgeFields(written));
  plan.warnings.insert(plan.warnings.end(), warnings.begin(), warnings.end());
  WarnOfServices(written, options, plan.warnings);
  HEADRACE_RETURN_IF_ERROR(CheckNamedFiles(location, config, options.links_may_leave));
  HEADRACE_RETURN_IF_ERROR(SelectPlanVersions(location.name, list, config, plan));
  plan.parts = PartsOf(config);
  plan.settings_fingerprint = SettingsFingerprint(config);
  plan.config = std::make_shared<const inference::ModelConfig>(std::move(config));
  plan.source = std::move(source);
  return plan;
}

std::vector<ComposingModel> ReadParts(const ModelLocation& location, const PlanOptions& options) {
  auto config = ReadConfig(location, options);
  return config.ok() && ResolveSteps(location, options, *config).ok()
             ? PartsOf(*config)
             : std::vector<ComposingModel>();
}

std::optional<std::string> ChangedFile(const ModelPlan& plan, std::int64_t version,
                                       const DirectorySummary& now) {
  const std::string prefix = std::to_string(version) + "/";
  for (auto file = plan.directory.files.lower_bound(prefix);
       file != plan.directory.files.end() && file->first.starts_with(prefix); ++file) {
    const auto found = now.files.find(file->first);
    if (found == now.files.end() || found->second != file->second) {
      return file->first;
    }
  }
  return std::nullopt;
}

}  // namespace headrace::repository
