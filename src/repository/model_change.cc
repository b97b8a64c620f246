#include "repository/model_change.h"

#include <algorithm>

#include "repository/config_json.h"
#include "repository/model_options.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

std::string InPlaceSettings(const inference::ModelConfig& config) {
  inference::ModelConfig settings;
  *settings.mutable_instance_group() = config.instance_group();
  *settings.mutable_version_policy() = config.version_policy();
  return ConfigToJson(settings);
}

}  // namespace

ModelChange CompareWithServed(const ModelPlan& plan, const ServedModel* served,
                              std::span<const std::int64_t> ready) {
  ModelChange change;
  if (served == nullptr) {
    change.load = plan.versions;
    return change;
  }
  change.instances = BuildPlacements(*plan.config) != BuildPlacements(*served->config);
  change.settings = InPlaceSettings(*plan.config) != InPlaceSettings(*served->config);
  const bool anew = change.instances && plan.config->has_sequence_batching();
  for (const std::int64_t version : plan.versions) {
    const auto found = served->fingerprints.find(version);
    const bool same = !anew && std::binary_search(ready.begin(), ready.end(), version) &&
                      found != served->fingerprints.end() &&
                      found->second == plan.VersionFingerprint(version, plan.directory);
    (same ? change.keep : change.load).push_back(version);
  }
  return change;
}

Result<std::string> ReplaceInPlaceSettings(const std::string& config_json,
                                           const inference::ModelConfig& wanted) {
  HEADRACE_ASSIGN_OR_RETURN(inference::ModelConfig config, ConfigFromJson(config_json));
  *config.mutable_instance_group() = wanted.instance_group();
  *config.mutable_version_policy() = wanted.version_policy();
  return ConfigToJson(config);
}

}  // namespace headrace::repository
