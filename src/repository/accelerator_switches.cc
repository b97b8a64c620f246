#include "repository/accelerator_switches.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

constexpr std::string_view kAll = "*";
constexpr std::string_view kBackend = "onnxruntime";

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsOnGpu(const inference::ModelConfig& config) {
  const auto& groups = config.instance_group();
  return std::any_of(groups.begin(), groups.end(), [](const inference::ModelInstanceGroup& group) {
    return group.kind() == inference::ModelInstanceGroup::KIND_GPU;
  });
}

template <typename List>
void AddOnce(std::string_view name, List& accelerators) {
  const bool there = std::any_of(accelerators.begin(), accelerators.end(),
                                 [&](const auto& entry) { return entry.name() == name; });
  if (!there) {
    accelerators.Add()->set_name(std::string(name));
  }
}

}  // namespace

std::vector<std::string> AddAccelerators(const AcceleratorSwitches& switches,
                                         const std::string& model_name,
                                         inference::ModelConfig& config) {
  std::vector<std::string> warnings;
  const bool has_accelerators = config.backend() == kBackend;
  const auto wanted = [&](const std::vector<std::string>& names, std::string_view option,
                          bool by_all) {
    const bool named = Contains(names, model_name);
    if (named && !has_accelerators) {
      warnings.push_back(
          fmt::format("--{} names this model, but backend '{}' has no such accelerator", option,
                      config.backend()));
    }
    return has_accelerators && (named || (by_all && Contains(names, kAll)));
  };
  if (wanted(switches.openvino, "enable-openvino", true)) {
    AddOnce("openvino", *config.mutable_optimization()
                             ->mutable_execution_accelerators()
                             ->mutable_cpu_execution_accelerator());
  }
  if (wanted(switches.tensorrt, "enable-tensorrt", IsOnGpu(config))) {
    AddOnce("tensorrt", *config.mutable_optimization()
                             ->mutable_execution_accelerators()
                             ->mutable_gpu_execution_accelerator());
  }
  return warnings;
}

std::vector<std::string> NamedModels(const AcceleratorSwitches& switches) {
  std::vector<std::string> names;
  for (const auto* list : {&switches.openvino, &switches.tensorrt}) {
    for (const std::string& name : *list) {
      if (name != kAll && !Contains(names, name)) {
        names.push_back(name);
      }
    }
  }
  return names;
}

}  // namespace headrace::repository
