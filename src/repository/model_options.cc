#include "repository/model_options.h"

#include <algorithm>

#include "base/checked_math.h"
#include "repository/config_json.h"
#include "repository/online_parameters.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"
#include "repository/scheduling_parameters.h"
#include "repository/sequence_settings.h"
#include "repository/thread_parameters.h"

namespace headrace::repository {
namespace {

using engine::InstanceKind;
using engine::InstancePlacement;
using inference::ModelInstanceGroup;

Shape ToShape(const google::protobuf::RepeatedField<std::int64_t>& dims) {
  return Shape(std::span<const std::int64_t>(dims.data(), static_cast<std::size_t>(dims.size())));
}

template <typename Tensor>
engine::TensorSpec ToSpec(const Tensor& tensor) {
  engine::TensorSpec spec;
  spec.name = tensor.name();
  spec.dtype = static_cast<DataType>(tensor.data_type());  // the numbers are the same
  spec.dims = ToShape(tensor.dims());
  if (tensor.has_reshape()) {
    spec.reshape = ToShape(tensor.reshape().shape());
  }
  return spec;
}

engine::ModelSignature ToSignature(const inference::ModelConfig& config) {
  engine::ModelSignature signature;
  signature.batch_size_max = config.max_batch_size();
  for (const auto& input : config.input()) {
    engine::TensorSpec spec = ToSpec(input);
    spec.optional = input.optional();
    spec.allow_ragged_batch = input.allow_ragged_batch();
    signature.inputs.push_back(std::move(spec));
  }
  for (const auto& output : config.output()) {
    signature.outputs.push_back(ToSpec(output));
  }
  return signature;
}

engine::BatchPolicyOptions ToBatching(const inference::ModelConfig& config) {
  engine::BatchPolicyOptions batching;
  batching.batch_size_max = std::max(1, config.max_batch_size());
  batching.dynamic = config.has_dynamic_batching();
  if (batching.dynamic) {
    const auto& dynamic = config.dynamic_batching();
    batching.preferred_sizes.assign(dynamic.preferred_batch_size().begin(),
                                    dynamic.preferred_batch_size().end());
    auto& sizes = batching.preferred_sizes;
    std::sort(sizes.begin(), sizes.end());
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    // ValidateGeneral keeps the delay far from overflow.
    batching.queue_delay_max =
        static_cast<Nanos>(dynamic.max_queue_delay_microseconds()) * kMicrosecond;
  }
  return batching;
}

engine::QueuePolicy ToQueuePolicy(const inference::ModelQueuePolicy& policy) {
  return {.timeout_action = policy.timeout_action() == inference::ModelQueuePolicy::DELAY
                                ? engine::TimeoutAction::kDelay
                                : engine::TimeoutAction::kReject,
          .timeout = static_cast<Nanos>(policy.default_timeout_microseconds()) * kMicrosecond,
          .allow_timeout_override = policy.allow_timeout_override(),
          .request_count_max = policy.max_queue_size()};
}

// ValidateGeneral keeps levels and times in their ranges.
engine::QueuePolicies ToQueuePolicies(const inference::ModelConfig& config) {
  engine::QueuePolicies policies;
  const auto& dynamic = config.dynamic_batching();
  policies.default_policy = ToQueuePolicy(dynamic.default_queue_policy());
  if (dynamic.priority_levels() > 0) {
    policies.level_count = static_cast<std::uint32_t>(dynamic.priority_levels());
    policies.default_level = static_cast<std::uint32_t>(dynamic.default_priority_level());
    for (const auto& [level, policy] : dynamic.priority_queue_policy()) {
      policies.of_level.emplace(static_cast<std::uint32_t>(level), ToQueuePolicy(policy));
    }
  }
  return policies;
}

InstancePlacement ToPlacement(const ModelInstanceGroup& group) {
  InstancePlacement placement;
  placement.passive = group.passive();
  for (const auto& resource : group.rate_limiter().resources()) {
    placement.resources.push_back(
        {.name = resource.name(), .global = resource.global(), .count = resource.count()});
  }
  placement.rate_priority = std::max(1u, group.rate_limiter().priority());
  switch (group.kind()) {
    case ModelInstanceGroup::KIND_GPU:
      placement.kind = InstanceKind::kGpu;
      break;
    case ModelInstanceGroup::KIND_MODEL:
      placement.kind = InstanceKind::kModel;
      placement.host_policy = "model";
      break;
    default:
      placement.kind = InstanceKind::kCpu;
      placement.host_policy = "cpu";
  }
  return placement;
}

// A model whose executions must not be repeated, failed or not, says so.
Result<bool> RetriesFailedBatches(const inference::ModelConfig& config) {
  const auto found = config.parameters().find("retry_failed_batches");
  if (found == config.parameters().end()) {
    return true;
  }
  const std::string& value = found->second.string_value();
  if (value != "true" && value != "false") {
    return InvalidArgument(
        "parameter 'retry_failed_batches' must be \"true\" or \"false\", got \"{}\"", value);
  }
  return value == "true";
}

}  // namespace

std::vector<InstancePlacement> BuildPlacements(const inference::ModelConfig& config) {
  std::vector<InstancePlacement> placements;
  for (const ModelInstanceGroup& group : config.instance_group()) {
    // One round without a device for groups that are not on GPUs.
    const int device_count = std::max(1, group.gpus_size());
    int index = 0;
    for (int device = 0; device < device_count; ++device) {
      for (int i = 0; i < group.count(); ++i) {
        InstancePlacement placement = ToPlacement(group);
        placement.name = fmt::format("{}_{}", group.name(), index++);
        if (!group.gpus().empty()) {
          placement.device_id = group.gpus(device);
          placement.host_policy = fmt::format("gpu_{}", placement.device_id);
        }
        if (!group.host_policy().empty()) {
          placement.host_policy = group.host_policy();
        }
        placements.push_back(std::move(placement));
      }
    }
  }
  return placements;
}

Result<engine::ModelOptions> BuildModelOptions(const inference::ModelConfig& config,
                                               std::int64_t version,
                                               const engine::QueueLimits& limits) {
  engine::ModelOptions options;
  options.name = config.name();
  options.version = version;
  options.platform = config.platform().empty() ? config.backend() : config.platform();
  options.config_json = ConfigToJson(config);
  options.signature = ToSignature(config);
  options.decoupled = config.model_transaction_policy().decoupled();
  options.batching = ToBatching(config);
  options.queue_limits = limits;
  HEADRACE_ASSIGN_OR_RETURN(const bool retries, RetriesFailedBatches(config));
  options.batch_retry_credit = retries ? limits.batch_retry_credit : 0;
  options.queue_policies = ToQueuePolicies(config);
  options.queue_policies.passed_over_batches_max = limits.passed_over_batches_max;
  HEADRACE_ASSIGN_OR_RETURN(options.sequences, BuildSequenceOptions(config));
  HEADRACE_RETURN_IF_ERROR(ApplySchedulingParameters(config, options));
  HEADRACE_ASSIGN_OR_RETURN(options.online, BuildOnlineOptions(config));
  options.preserve_ordering = config.dynamic_batching().preserve_ordering() ||
                              config.sequence_batching().oldest().preserve_ordering();
  options.placements = BuildPlacements(config);
  options.thread_count = ThreadsAsked(config);
  options.metric_tags.assign(config.metric_tags().begin(), config.metric_tags().end());
  std::sort(options.metric_tags.begin(), options.metric_tags.end());
  return options;
}

std::vector<std::string> SplitLabels(const std::string& text) {
  std::vector<std::string> labels;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::size_t stop = end;
    if (stop > begin && text[stop - 1] == '\r') {
      --stop;
    }
    labels.push_back(text.substr(begin, stop - begin));
    begin = end + 1;
  }
  return labels;
}

Status ReadLabels(const inference::ModelConfig& config, const std::string& root,
                  const std::string& model_directory, engine::ModelSignature& signature) {
  for (int i = 0; i < config.output_size(); ++i) {
    const std::string& file = config.output(i).label_filename();
    if (file.empty()) {
      continue;
    }
    const std::string who = fmt::format("label file of output '{}': ", config.output(i).name());
    auto path = ResolveInside(root, model_directory, file);
    if (!path.ok()) {
      return path.status().WithPrefix(who);
    }
    auto text = ReadFile(*path, kLabelFileByteSizeMax);
    if (!text.ok()) {
      return text.status().WithPrefix(who);
    }
    signature.outputs[static_cast<std::size_t>(i)].labels = SplitLabels(*text);
  }
  return OkStatus();
}

}  // namespace headrace::repository
