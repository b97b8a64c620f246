// What a new plan changes about what is served of a model. Pure.
#ifndef HEADRACE_REPOSITORY_MODEL_CHANGE_H_
#define HEADRACE_REPOSITORY_MODEL_CHANGE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "repository/model_plan.h"

namespace headrace::repository {

// A model as its last successful load left it.
struct ServedModel {
  ModelSource source;
  std::shared_ptr<const inference::ModelConfig> config;  // the plan's
  std::map<std::int64_t, std::uint64_t> fingerprints;  // by version: ModelPlan::VersionFingerprint
};

struct ModelChange {
  std::vector<std::int64_t> load;  // versions that are new or not what they were; ascending
  std::vector<std::int64_t> keep;  // versions that go on serving untouched; ascending
  bool instances = false;          // the kept versions get other instances
  bool settings = false;  // their configuration reads differently: instances, version policy
};

// `served` is null for a model that is not served; `ready` are its versions that serve now,
// ascending. Other instances are a matter of the running versions, except for a model that batches
// sequences: it holds them on its instances, and is loaded anew.
ModelChange CompareWithServed(const ModelPlan& plan, const ServedModel* served,
                              std::span<const std::int64_t> ready);

// The configuration of a kept version, `config_json`, with the instance groups and the version
// policy of `wanted`.
Result<std::string> ReplaceInPlaceSettings(const std::string& config_json,
                                           const inference::ModelConfig& wanted);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_CHANGE_H_
