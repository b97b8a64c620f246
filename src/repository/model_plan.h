// What is to be loaded for one model: its checked configuration and the versions that it serves.
#ifndef HEADRACE_REPOSITORY_MODEL_PLAN_H_
#define HEADRACE_REPOSITORY_MODEL_PLAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "repository/accelerator_switches.h"
#include "repository/layout.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

struct PlanOptions {
  bool auto_complete_config = true;
  std::string model_config_name;  // configs/<name>.pbtxt in place of config.pbtxt, where it exists
  bool links_may_leave = false;
  AcceleratorSwitches accelerators;
  int gpu_count = 0;  // GPUs that instances may use
};

// Immutable once made; shared by the loads of its versions.
struct ModelPlan {
  ModelLocation location;
  std::shared_ptr<const inference::ModelConfig>
      config;  // normalised and validated, not yet completed by the backend
  bool auto_complete = false;
  std::vector<std::int64_t> versions;  // ascending, at least one
  std::vector<std::string>
      warnings;  // for the log: ignored directories, fields without effect, missing versions
  std::uint64_t fingerprint = 0;  // equal for two plans of an unchanged directory and configuration
  int gpu_count = 0;
};

// Reads the model's directory. `override_json` (not null) stands in for config.pbtxt: its faults
// begin with "Invalid config override: ". All other failures are INVALID_ARGUMENT or UNIMPLEMENTED
// with file, line or field; INVALID_ARGUMENT "at least one version must be available under the
// version policy of model 'X'" when nothing is left to serve. Blocks on the file system.
Result<ModelPlan> PlanModel(const ModelLocation& location, const std::string* override_json,
                            const PlanOptions& options);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_PLAN_H_
