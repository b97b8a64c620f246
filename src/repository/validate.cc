#include "repository/validate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "repository/names.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

using inference::ModelConfig;
using inference::ModelQueuePolicy;

// A file name or relative path that a backend joins to the model's directory.
bool LeavesDirectory(const std::string& path) {
  return path.find('\0') != std::string::npos || path.front() == '/' || path == ".." ||
         path.compare(0, 3, "../") == 0 || path.find("/../") != std::string::npos ||
         (path.size() >= 3 && path.compare(path.size() - 3, 3, "/..") == 0);
}

Status CheckFileName(const char* field, const std::string& value, const std::string& model) {
  if (!value.empty() && LeavesDirectory(value)) {
    return InvalidArgument("'{}' must be a path inside the model's directory for {}", field, model);
  }
  return OkStatus();
}

Status ValidateIdentity(const ModelConfig& config) {
  const bool ensemble_platform = config.platform() == "ensemble";
  if (config.platform().empty() && config.backend().empty() && !config.has_ensemble_scheduling()) {
    return InvalidArgument("must specify 'platform' or 'backend' for '{}'", config.name());
  }
  if (ensemble_platform != config.has_ensemble_scheduling() ||
      (ensemble_platform && !config.backend().empty())) {
    if (ensemble_platform && config.backend().empty()) {
      return InvalidArgument(
          "ensemble scheduling must be set for ensemble {} whose platform is ensemble",
          config.name());
    }
    return InvalidArgument(
        "Ensemble model '{}' must have platform type 'ensemble' and empty backend type",
        config.name());
  }
  const std::string& platform = config.platform();
  const std::string& backend = config.backend();
  const bool pair =
      platform.empty() || ensemble_platform ||
      (platform == "onnxruntime_onnx" && backend == "onnxruntime") ||
      (platform == "tensorrt_plan" && backend == "tensorrt") ||
      ((platform == "pytorch_libtorch" || platform == "torch_aoti") && backend == "pytorch") ||
      ((platform == "tensorflow_savedmodel" || platform == "tensorflow_graphdef") &&
       backend == "tensorflow");
  if (!pair) {
    return InvalidArgument("unexpected 'platform' and 'backend' pair, got:{}, {}", platform,
                           backend);
  }
  if (!backend.empty()) {
    HEADRACE_RETURN_IF_ERROR(CheckLibraryName("backend", backend, config.name()));
  }
  if (!config.runtime().empty()) {
    HEADRACE_RETURN_IF_ERROR(CheckLibraryName("runtime", config.runtime(), config.name()));
  }
  HEADRACE_RETURN_IF_ERROR(
      CheckFileName("default_model_filename", config.default_model_filename(), config.name()));
  for (const auto& [capability, file] : config.cc_model_filenames()) {
    HEADRACE_RETURN_IF_ERROR(CheckFileName("cc_model_filenames", file, config.name()));
  }
  for (const std::string& file : config.model_operations().op_library_filename()) {
    HEADRACE_RETURN_IF_ERROR(CheckFileName("op_library_filename", file, config.name()));
  }
  return OkStatus();
}

Status ValidateVersionPolicy(const ModelConfig& config) {
  const auto& policy = config.version_policy();
  if (policy.has_latest() && policy.latest().num_versions() == 0) {
    return InvalidArgument("'num_versions' of version policy 'latest' must be positive for {}",
                           config.name());
  }
  if (policy.has_specific()) {
    for (const auto version : policy.specific().versions()) {
      if (version < 1) {
        return InvalidArgument(
            "version policy 'specific' names version {}, versions are >= 1 for {}", version,
            config.name());
      }
    }
  }
  return OkStatus();
}

Status CheckDuration(const char* field, std::uint64_t duration_us, const std::string& model) {
  if (duration_us > kDurationUsMax) {
    return InvalidArgument("'{}' must be at most {} microseconds for {}", field, kDurationUsMax,
                           model);
  }
  return OkStatus();
}

Status ValidateQueuePolicy(const ModelQueuePolicy& policy, bool preserve_ordering,
                           const std::string& model) {
  if (preserve_ordering && policy.timeout_action() == ModelQueuePolicy::DELAY) {
    return InvalidArgument(
        "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true for {}",
        model);
  }
  return CheckDuration("default_timeout_microseconds", policy.default_timeout_microseconds(),
                       model);
}

Status ValidatePriorities(const inference::ModelDynamicBatching& batching,
                          const std::string& model) {
  const std::uint64_t levels = batching.priority_levels();
  if (levels > kPriorityLevelsMax) {
    return InvalidArgument("'priority_levels' must be at most {} for {}", kPriorityLevelsMax,
                           model);
  }
  if (levels > 0 &&
      (batching.default_priority_level() == 0 || batching.default_priority_level() > levels)) {
    return InvalidArgument("default priority level must be in range [1, {}] for {}", levels, model);
  }
  if (levels > 1 && batching.preserve_ordering()) {
    return InvalidArgument(
        "Only one priority level is allowed when 'preserve_ordering' is true for {}", model);
  }
  for (const auto& [level, policy] : batching.priority_queue_policy()) {
    if (level == 0 || level > levels) {
      return InvalidArgument(
          "priority queue policy must have priority level in range [1, {}] for {}", levels, model);
    }
    HEADRACE_RETURN_IF_ERROR(ValidateQueuePolicy(policy, batching.preserve_ordering(), model));
  }
  return OkStatus();
}

Status ValidateDynamicBatching(const ModelConfig& config) {
  if (!config.has_dynamic_batching()) {
    return OkStatus();
  }
  const auto& batching = config.dynamic_batching();
  for (const auto size : batching.preferred_batch_size()) {
    if (size <= 0) {
      return InvalidArgument("dynamic batching preferred size must be positive for {}",
                             config.name());
    }
    if (size > config.max_batch_size()) {
      return InvalidArgument("dynamic batching preferred size must be <= max batch size for {}",
                             config.name());
    }
  }
  HEADRACE_RETURN_IF_ERROR(CheckDuration("max_queue_delay_microseconds",
                                         batching.max_queue_delay_microseconds(), config.name()));
  HEADRACE_RETURN_IF_ERROR(ValidatePriorities(batching, config.name()));
  return ValidateQueuePolicy(batching.default_queue_policy(), batching.preserve_ordering(),
                             config.name());
}

Status ValidateCache(const ModelConfig& config) {
  if (!config.response_cache().enable()) {
    return OkStatus();
  }
  if (config.has_sequence_batching()) {
    return InvalidArgument(
        "Response Cache does not currently support model {} with sequence batching scheduler. "
        "Please disable "
        "the response cache.",
        config.name());
  }
  if (config.model_transaction_policy().decoupled()) {
    return InvalidArgument(
        "Response Cache does not currently support model {} with 'decoupled' transaction policy. "
        "Please "
        "disable the response cache.",
        config.name());
  }
  return OkStatus();
}

}  // namespace

Status ValidateGeneral(const ModelConfig& config) {
  HEADRACE_RETURN_IF_ERROR(ValidateIdentity(config));
  if (config.max_batch_size() < 0) {
    return InvalidArgument("'max_batch_size' must be non-negative value for {}", config.name());
  }
  HEADRACE_RETURN_IF_ERROR(ValidateVersionPolicy(config));
  HEADRACE_RETURN_IF_ERROR(ValidateDynamicBatching(config));
  HEADRACE_RETURN_IF_ERROR(ValidateSequenceBatching(config));
  HEADRACE_RETURN_IF_ERROR(ValidateEnsemble(config));
  return ValidateCache(config);
}

namespace {

Status CheckGpus(const inference::ModelInstanceGroup& group, const UsableGpus& gpus,
                 const std::string& who) {
  if (gpus.ids.empty()) {
    return InvalidArgument(
        "{} has kind KIND_GPU but server does not support GPUs: none is available; use KIND_CPU",
        who);
  }
  for (const int gpu : group.gpus()) {
    if (std::find(gpus.ids.begin(), gpus.ids.end(), gpu) == gpus.ids.end()) {
      return InvalidArgument(
          "{} specifies invalid or unsupported gpu id {}. GPUs with at least the minimum required "
          "CUDA compute compatibility of {:.6f} are: {}",
          who, gpu, gpus.compute_capability_min, fmt::join(gpus.ids, " "));
    }
  }
  return group.gpus().empty() ? InvalidArgument("{} has kind KIND_GPU but specifies no GPUs", who)
                              : OkStatus();
}

}  // namespace

Status ValidateInstanceGroups(const ModelConfig& config, const UsableGpus& gpus) {
  using Group = inference::ModelInstanceGroup;
  if (config.has_ensemble_scheduling()) {
    return OkStatus();
  }
  if (config.instance_group().empty()) {
    return InvalidArgument("must specify one or more 'instance group's for {}", config.name());
  }
  std::int64_t total = 0;
  for (const Group& group : config.instance_group()) {
    const std::string who =
        fmt::format("instance group {} of model {}", group.name(), config.name());
    if (group.count() < 1) {
      return InvalidArgument("{} must have a count of at least 1", who);
    }
    total += static_cast<std::int64_t>(group.count()) * std::max(1, group.gpus_size());
    if (total > kInstanceCountMax) {
      return InvalidArgument("{} asks for more than the {} instances that a model may have", who,
                             kInstanceCountMax);
    }
    if (group.kind() == Group::KIND_GPU) {
      HEADRACE_RETURN_IF_ERROR(CheckGpus(group, gpus, who));
    }
    if (group.kind() != Group::KIND_GPU && !group.gpus().empty()) {
      return InvalidArgument("{} has kind {} but specifies one or more GPUs", who,
                             Group::Kind_Name(group.kind()));
    }
    if (!group.profile().empty() && config.platform() != "tensorrt_plan") {
      return InvalidArgument(
          "{} specifies profile field which is only supported for TensorRT models", who);
    }
  }
  return OkStatus();
}

}  // namespace headrace::repository
