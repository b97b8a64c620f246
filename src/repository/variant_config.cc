#include "repository/variant_config.h"

#include <algorithm>

#include "repository/protobuf_messages.h"
#include "repository/thread_parameters.h"

namespace headrace::repository {
namespace {

std::string PlatformOf(const Variant& variant) {
  if (variant.backend == "onnxruntime") {
    return "onnxruntime_onnx";
  }
  if (variant.backend == "pytorch") {
    return variant.file.ends_with(".pt2") ? "torch_aoti" : "pytorch_libtorch";
  }
  return "";
}

}  // namespace

std::string WhyNoVariants(const inference::ModelConfig& config) {
  if (config.has_ensemble_scheduling()) {
    return "an ensemble has none";
  }
  const auto& groups = config.instance_group();
  if (std::any_of(groups.begin(), groups.end(), [](const auto& group) {
        return group.kind() == inference::ModelInstanceGroup::KIND_GPU;
      })) {
    return "its instances are on a GPU, and variants are made and measured on a CPU";
  }
  if (!config.runtime().empty()) {
    return "it names a runtime of its own";
  }
  return config.cc_model_filenames().empty() ? "" : "it names files by compute capability";
}

std::string VariantFile(const Variant& variant) {
  return fmt::format("{}/{}/{}", kVariantsDirectory, variant.name, variant.file);
}

void PutVariantInForce(const Variant& variant, inference::ModelConfig& config) {
  const int threads = variant.backend == config.backend() ? 0 : ThreadsAsked(config);
  if (variant.backend != config.backend()) {
    config.set_backend(variant.backend);
    config.clear_parameters();
    config.mutable_optimization()->clear_execution_accelerators();
  }
  if (!variant.file.empty()) {
    config.set_default_model_filename(VariantFile(variant));
    config.set_platform(PlatformOf(variant));
  }
  if (variant.graph_level) {
    config.mutable_optimization()->mutable_graph()->set_level(*variant.graph_level);
  }
  if (variant.instance_count && config.instance_group_size() == 1) {
    config.mutable_instance_group(0)->set_count(*variant.instance_count);
  }
  AskForThreads(threads, config);
  for (const auto& [key, value] : variant.parameters) {
    (*config.mutable_parameters())[key].set_string_value(value);
  }
}

}  // namespace headrace::repository
