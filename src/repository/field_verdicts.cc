#include "repository/field_verdicts.h"

#include <algorithm>
#include <array>

#include "repository/field_walk.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

constexpr std::string_view kTensorRtOnly = "is for TensorRT models, which are not supported";
constexpr std::string_view kNoShapeTensors =
    "is not supported: shape tensors are only supported for TensorRT platform";
constexpr std::string_view kNoPinnedMemory = "has no effect: there is no pinned memory";

constexpr auto kTable = std::to_array<FieldVerdict>({
    {"name", Verdict::kActedOn, ""},
    {"platform", Verdict::kActedOn, ""},
    {"backend", Verdict::kActedOn, ""},
    {"runtime", Verdict::kActedOn, ""},
    {"version_policy", Verdict::kActedOn, ""},
    {"version_policy.latest", Verdict::kActedOn, ""},
    {"version_policy.latest.num_versions", Verdict::kActedOn, ""},
    {"version_policy.all", Verdict::kActedOn, ""},
    {"version_policy.specific", Verdict::kActedOn, ""},
    {"version_policy.specific.versions", Verdict::kActedOn, ""},
    {"max_batch_size", Verdict::kActedOn, ""},
    {"input", Verdict::kActedOn, ""},
    {"input.name", Verdict::kActedOn, ""},
    {"input.data_type", Verdict::kActedOn, ""},
    {"input.format", Verdict::kActedOn, ""},
    {"input.dims", Verdict::kActedOn, ""},
    {"input.reshape", Verdict::kActedOn, ""},
    {"input.reshape.shape", Verdict::kActedOn, ""},
    {"input.is_shape_tensor", Verdict::kRefused, kNoShapeTensors},
    {"input.allow_ragged_batch", Verdict::kActedOn, ""},
    {"input.optional", Verdict::kActedOn, ""},
    {"input.is_non_linear_format_io", Verdict::kRefused, kTensorRtOnly},
    {"output", Verdict::kActedOn, ""},
    {"output.name", Verdict::kActedOn, ""},
    {"output.data_type", Verdict::kActedOn, ""},
    {"output.dims", Verdict::kActedOn, ""},
    {"output.reshape", Verdict::kActedOn, ""},
    {"output.reshape.shape", Verdict::kActedOn, ""},
    {"output.label_filename", Verdict::kActedOn, ""},
    {"output.is_shape_tensor", Verdict::kRefused, kNoShapeTensors},
    {"output.is_non_linear_format_io", Verdict::kRefused, kTensorRtOnly},
    {"batch_input", Verdict::kBackend, ""},
    {"batch_output", Verdict::kBackend, ""},
    {"optimization", Verdict::kActedOn, ""},
    {"optimization.graph", Verdict::kBackend, ""},
    {"optimization.priority", Verdict::kWarned,
     "has no effect: instance threads have ordinary priority"},
    {"optimization.cuda", Verdict::kWarned, "has no effect: there is no GPU support"},
    {"optimization.execution_accelerators", Verdict::kBackend, ""},
    {"optimization.input_pinned_memory", Verdict::kActedOn, ""},
    {"optimization.input_pinned_memory.enable", Verdict::kWarned, kNoPinnedMemory},
    {"optimization.output_pinned_memory", Verdict::kActedOn, ""},
    {"optimization.output_pinned_memory.enable", Verdict::kWarned, kNoPinnedMemory},
    {"optimization.gather_kernel_buffer_threshold", Verdict::kWarned,
     "has no effect: there is no GPU support"},
    {"optimization.eager_batching", Verdict::kWarned,
     "has no effect: inputs are gathered when the batch runs"},
    {"dynamic_batching", Verdict::kActedOn, ""},
    {"dynamic_batching.preferred_batch_size", Verdict::kActedOn, ""},
    {"dynamic_batching.max_queue_delay_microseconds", Verdict::kActedOn, ""},
    {"dynamic_batching.preserve_ordering", Verdict::kActedOn, ""},
    {"dynamic_batching.priority_levels", Verdict::kActedOn, ""},
    {"dynamic_batching.default_priority_level", Verdict::kActedOn, ""},
    {"dynamic_batching.default_queue_policy", Verdict::kActedOn, ""},
    {"dynamic_batching.default_queue_policy.timeout_action", Verdict::kActedOn, ""},
    {"dynamic_batching.default_queue_policy.default_timeout_microseconds", Verdict::kActedOn, ""},
    {"dynamic_batching.default_queue_policy.allow_timeout_override", Verdict::kActedOn, ""},
    {"dynamic_batching.default_queue_policy.max_queue_size", Verdict::kActedOn, ""},
    {"dynamic_batching.priority_queue_policy", Verdict::kActedOn, ""},
    {"dynamic_batching.priority_queue_policy.timeout_action", Verdict::kActedOn, ""},
    {"dynamic_batching.priority_queue_policy.default_timeout_microseconds", Verdict::kActedOn, ""},
    {"dynamic_batching.priority_queue_policy.allow_timeout_override", Verdict::kActedOn, ""},
    {"dynamic_batching.priority_queue_policy.max_queue_size", Verdict::kActedOn, ""},
    {"sequence_batching", Verdict::kActedOn, ""},
    {"sequence_batching.direct", Verdict::kActedOn, ""},
    {"sequence_batching.direct.max_queue_delay_microseconds", Verdict::kActedOn, ""},
    {"sequence_batching.direct.minimum_slot_utilization", Verdict::kActedOn, ""},
    {"sequence_batching.oldest", Verdict::kActedOn, ""},
    {"sequence_batching.oldest.max_candidate_sequences", Verdict::kActedOn, ""},
    {"sequence_batching.oldest.preferred_batch_size", Verdict::kActedOn, ""},
    {"sequence_batching.oldest.max_queue_delay_microseconds", Verdict::kActedOn, ""},
    {"sequence_batching.oldest.preserve_ordering", Verdict::kActedOn, ""},
    {"sequence_batching.max_sequence_idle_microseconds", Verdict::kActedOn, ""},
    {"sequence_batching.control_input", Verdict::kActedOn, ""},
    {"sequence_batching.control_input.name", Verdict::kActedOn, ""},
    {"sequence_batching.control_input.control", Verdict::kActedOn, ""},
    {"sequence_batching.control_input.control.kind", Verdict::kActedOn, ""},
    {"sequence_batching.control_input.control.int32_false_true", Verdict::kActedOn, ""},
    {"sequence_batching.control_input.control.fp32_false_true", Verdict::kActedOn, ""},
    {"sequence_batching.control_input.control.bool_false_true", Verdict::kActedOn, ""},
    {"sequence_batching.control_input.control.data_type", Verdict::kActedOn, ""},
    {"sequence_batching.state", Verdict::kActedOn, ""},
    {"sequence_batching.state.input_name", Verdict::kActedOn, ""},
    {"sequence_batching.state.output_name", Verdict::kActedOn, ""},
    {"sequence_batching.state.data_type", Verdict::kActedOn, ""},
    {"sequence_batching.state.dims", Verdict::kActedOn, ""},
    {"sequence_batching.state.initial_state", Verdict::kActedOn, ""},
    {"sequence_batching.state.initial_state.data_type", Verdict::kActedOn, ""},
    {"sequence_batching.state.initial_state.dims", Verdict::kActedOn, ""},
    {"sequence_batching.state.initial_state.zero_data", Verdict::kActedOn, ""},
    {"sequence_batching.state.initial_state.data_file", Verdict::kActedOn, ""},
    {"sequence_batching.state.initial_state.name", Verdict::kActedOn, ""},
    {"sequence_batching.state.use_same_buffer_for_input_output", Verdict::kWarned,
     "has no effect: a state has one buffer for reading and one for writing"},
    {"sequence_batching.state.use_growable_memory", Verdict::kWarned,
     "has no effect: a state has as much memory as its value, and grows with it"},
    {"sequence_batching.iterative_sequence", Verdict::kActedOn, ""},
    {"ensemble_scheduling", Verdict::kActedOn, ""},
    {"ensemble_scheduling.step", Verdict::kActedOn, ""},
    {"ensemble_scheduling.step.model_name", Verdict::kActedOn, ""},
    {"ensemble_scheduling.step.model_version", Verdict::kActedOn, ""},
    {"ensemble_scheduling.step.input_map", Verdict::kActedOn, ""},
    {"ensemble_scheduling.step.output_map", Verdict::kActedOn, ""},
    {"ensemble_scheduling.step.model_namespace", Verdict::kActedOn, ""},
    {"ensemble_scheduling.max_inflight_requests", Verdict::kActedOn, ""},
    {"instance_group", Verdict::kActedOn, ""},
    {"instance_group.name", Verdict::kActedOn, ""},
    {"instance_group.kind", Verdict::kActedOn, ""},
    {"instance_group.count", Verdict::kActedOn, ""},
    {"instance_group.rate_limiter", Verdict::kActedOn, ""},
    {"instance_group.rate_limiter.resources", Verdict::kActedOn, ""},
    {"instance_group.rate_limiter.resources.name", Verdict::kActedOn, ""},
    {"instance_group.rate_limiter.resources.global", Verdict::kActedOn, ""},
    {"instance_group.rate_limiter.resources.count", Verdict::kActedOn, ""},
    {"instance_group.rate_limiter.priority", Verdict::kActedOn, ""},
    {"instance_group.gpus", Verdict::kActedOn, ""},
    {"instance_group.secondary_devices", Verdict::kRefused,
     "is not supported: no such device is known"},
    {"instance_group.profile", Verdict::kRefused, kTensorRtOnly},
    {"instance_group.passive", Verdict::kActedOn, ""},
    {"instance_group.host_policy", Verdict::kActedOn, ""},
    {"default_model_filename", Verdict::kBackend, ""},
    {"cc_model_filenames", Verdict::kWarned, "has no effect: there is no GPU support"},
    {"metric_tags", Verdict::kActedOn, ""},
    {"parameters", Verdict::kBackend, ""},
    {"model_warmup", Verdict::kActedOn, ""},
    {"model_warmup.name", Verdict::kActedOn, ""},
    {"model_warmup.batch_size", Verdict::kActedOn, ""},
    {"model_warmup.inputs", Verdict::kActedOn, ""},
    {"model_warmup.inputs.data_type", Verdict::kActedOn, ""},
    {"model_warmup.inputs.dims", Verdict::kActedOn, ""},
    {"model_warmup.inputs.zero_data", Verdict::kActedOn, ""},
    {"model_warmup.inputs.random_data", Verdict::kActedOn, ""},
    {"model_warmup.inputs.input_data_file", Verdict::kActedOn, ""},
    {"model_warmup.count", Verdict::kActedOn, ""},
    {"model_operations", Verdict::kBackend, ""},
    {"model_transaction_policy", Verdict::kActedOn, ""},
    {"model_transaction_policy.decoupled", Verdict::kActedOn, ""},
    {"model_repository_agents", Verdict::kActedOn, ""},
    {"model_repository_agents.agents", Verdict::kActedOn, ""},
    {"model_repository_agents.agents.name", Verdict::kActedOn, ""},
    {"model_repository_agents.agents.parameters", Verdict::kActedOn, ""},
    {"response_cache", Verdict::kActedOn, ""},
    {"response_cache.enable", Verdict::kActedOn, ""},
    {"model_metrics", Verdict::kWarned, "has no effect: histograms have their own buckets"},
});

// A parameter that asks the core, and not the backend, for something.
constexpr const char* kBatchStrategyParameter = "TRITON_BATCH_STRATEGY_PATH";

}  // namespace

std::span<const FieldVerdict> FieldVerdicts() { return kTable; }

const FieldVerdict* FindVerdict(std::string_view path) {
  const std::string_view full = path;
  while (!path.empty()) {
    const auto found = std::find_if(kTable.begin(), kTable.end(),
                                    [&](const FieldVerdict& v) { return v.path == path; });
    if (found != kTable.end()) {
      return path == full || found->verdict != Verdict::kActedOn ? &*found : nullptr;
    }
    const std::size_t dot = path.rfind('.');
    path = dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
  }
  return nullptr;
}

Result<std::vector<std::string>> JudgeFields(const inference::ModelConfig& config) {
  std::vector<std::string> warnings;
  Status status;
  WalkSetFields(config, [&](const std::string& path, const google::protobuf::FieldDescriptor&) {
    const FieldVerdict* verdict = FindVerdict(path);
    if (verdict == nullptr || verdict->verdict == Verdict::kRefused) {
      if (status.ok()) {
        status =
            Unimplemented("field '{}' {}", path,
                          verdict == nullptr ? "is not known to this server" : verdict->reason);
      }
      return false;
    }
    if (verdict->verdict == Verdict::kWarned) {
      std::string text = fmt::format("field '{}' {}", path, verdict->reason);
      if (std::find(warnings.begin(), warnings.end(), text) == warnings.end()) {
        warnings.push_back(std::move(text));
      }
    }
    return verdict->verdict == Verdict::kActedOn;
  });
  HEADRACE_RETURN_IF_ERROR(status);
  if (config.parameters().count(kBatchStrategyParameter) > 0) {
    return Unimplemented("parameter '{}' is not supported: there are no batching libraries",
                         kBatchStrategyParameter);
  }
  return warnings;
}

}  // namespace headrace::repository
