// What is to be loaded for one model: its checked configuration and the versions that it serves.
#ifndef HEADRACE_REPOSITORY_MODEL_PLAN_H_
#define HEADRACE_REPOSITORY_MODEL_PLAN_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/repository_agents.h"
#include "repository/accelerator_switches.h"
#include "repository/archive_limits.h"
#include "repository/dependency_graph.h"
#include "repository/layout.h"
#include "repository/model_config_fwd.h"
#include "repository/repository_files.h"
#include "repository/usable_gpus.h"

namespace headrace::repository {

class Namespaces;
class OverrideStore;

struct PlanOptions {
  bool auto_complete_config = true;
  std::string model_config_name;  // configs/<name>.pbtxt in place of config.pbtxt, where it exists
  bool links_may_leave = false;
  AcceleratorSwitches accelerators;
  bool allow_code_override = false;        // see override_rules.h
  bool has_response_cache = false;         // otherwise models that ask for it are warned about
  bool has_rate_limiter = false;           // the same
  const Namespaces* namespaces = nullptr;  // borrowed; null: models have none
  UsableGpus gpus = {};
  std::shared_ptr<engine::AgentProvider> agents = {};  // null: models that name one are refused
  ArchiveLimits archives = {};                         // of models that are archives
  OverrideStore* unpacked = nullptr;  // where those are unpacked; null: they are refused
};

// Where a model's configuration and files come from.
struct ModelSource {
  ModelLocation location;
  std::optional<std::string> config_json;  // stands in for config.pbtxt
  std::shared_ptr<const void> files;  // not null: the directory was made for a load request, and
                                      // goes with the last owner of this
  std::shared_ptr<engine::ModelAgents> agents = {};  // null: none; the location is theirs otherwise
};

// Immutable once made; shared by the loads of its versions.
struct ModelPlan {
  ModelSource source;
  std::shared_ptr<const inference::ModelConfig>
      config;  // normalised and validated, not yet completed by the backend
  bool auto_complete = false;
  std::vector<std::int64_t> versions;  // ascending, at least one
  std::vector<ComposingModel> parts;   // of an ensemble
  std::vector<std::string>
      warnings;  // for the log: ignored directories, fields without effect, missing versions
  std::uint64_t settings_fingerprint = 0;  // of what all versions share: the configuration without
                                           // instance groups and version policy
  // Where the model's files are looked at for changes: the source's location, or the repository's
  // directory whose archives were unpacked to there.
  ModelLocation watched;
  DirectorySummary directory;             // of `watched`
  std::string version_name{};             // of its one version (engine::ModelOptions)
  bool may_have_variants = true;          // false: its files came with a load request
  bool starts_without_instances = false;  // it may have none; whoever loads it adds them

  const std::string& name() const { return source.location.name; }
  std::string key() const { return source.location.key(); }
  // Equal for two plans if nothing that a loaded version depends on differs: the configuration but
  // for what can be changed in place, the version's files, and the files beside the version
  // directories. `summary` is of the model's directory, at any time.
  std::uint64_t VersionFingerprint(std::int64_t version, const DirectorySummary& summary) const;
};

// Lets the repository agents act that the configuration names, then reads the directory that they
// leave. Faults of `source.config_json` begin with "Invalid config override:
// ". All other failures are INVALID_ARGUMENT or UNIMPLEMENTED with file, line or field;
// INVALID_ARGUMENT "at least one version must be available under the version policy of model 'X'"
// when nothing is left to serve. Blocks on the file system.
Result<ModelPlan> PlanModel(ModelSource source, const PlanOptions& options);

// The composing models that the configuration in `location` names; empty if it is no ensemble, or
// cannot be read. Blocks on the file system.
std::vector<ComposingModel> ReadParts(const ModelLocation& location, const PlanOptions& options);

// The first file of `version` that was there when the plan was made and has changed since; nothing
// if there is none.
std::optional<std::string> ChangedFile(const ModelPlan& plan, std::int64_t version,
                                       const DirectorySummary& now);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_PLAN_H_
