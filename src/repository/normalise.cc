#include "repository/normalise.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

constexpr std::uint64_t kSequenceIdleUsDefault = 1'000'000;

// What the standard file of a backend tells, in the order in which the files are looked for.
struct StandardFile {
  std::string_view file;
  std::string_view backend;
  std::string_view platform;  // empty: the backend has no platform name
};
constexpr std::array<StandardFile, 9> kStandardFiles = {{
    {"model.savedmodel", "tensorflow", "tensorflow_savedmodel"},
    {"model.graphdef", "tensorflow", "tensorflow_graphdef"},
    {"model.plan", "tensorrt", "tensorrt_plan"},
    {"model.onnx", "onnxruntime", "onnxruntime_onnx"},
    {"model.xml", "openvino", ""},
    {"model.tflite", "openvino", ""},
    {"model.pt", "pytorch", "pytorch_libtorch"},
    {"model.pt2", "pytorch", "torch_aoti"},
    {"model.py", "python", ""},
}};

const StandardFile* FindByPlatform(std::string_view platform) {
  const auto found = std::find_if(kStandardFiles.begin(), kStandardFiles.end(),
                                  [&](const StandardFile& s) { return s.platform == platform; });
  return platform.empty() || found == kStandardFiles.end() ? nullptr : &*found;
}

const StandardFile* FindByBackend(std::string_view backend,
                                  const std::vector<std::string>& entries) {
  const StandardFile* first = nullptr;
  for (const StandardFile& candidate : kStandardFiles) {
    if (candidate.backend != backend) {
      continue;
    }
    if (std::binary_search(entries.begin(), entries.end(), candidate.file)) {
      return &candidate;
    }
    if (first == nullptr) {
      first = &candidate;
    }
  }
  return first;
}

const StandardFile* FindByFile(std::string_view default_filename,
                               const std::vector<std::string>& entries) {
  for (const StandardFile& candidate : kStandardFiles) {
    const bool present = default_filename.empty()
                             ? std::binary_search(entries.begin(), entries.end(), candidate.file)
                             : default_filename == candidate.file;
    if (present) {
      return &candidate;
    }
  }
  return nullptr;
}

// Preferred sizes that were left out mean: as many as the model takes.
template <typename Batching>
void FillPreferredSize(int batch_size_max, Batching& batching) {
  if (batching.preferred_batch_size().empty() && batch_size_max > 0) {
    batching.add_preferred_batch_size(batch_size_max);
  }
}

int DefaultInstanceCount(const inference::ModelConfig& config,
                         inference::ModelInstanceGroup::Kind kind) {
  const bool doubled = config.backend() == "onnxruntime" || config.backend() == "tensorflow";
  return doubled && kind == inference::ModelInstanceGroup::KIND_CPU ? 2 : 1;
}

}  // namespace

Status CompleteBackend(const std::string& model_name,
                       const std::vector<std::string>& version_entries,
                       inference::ModelConfig& config) {
  if (config.platform() == "ensemble" || config.has_ensemble_scheduling()) {
    return OkStatus();
  }
  if (config.backend() == "torch") {  // another name, for the one that the library has
    config.set_backend("pytorch");
  }
  const StandardFile* standard = nullptr;
  if (!config.backend().empty()) {
    const StandardFile* by_platform = FindByPlatform(config.platform());
    standard = by_platform != nullptr && by_platform->backend == config.backend()
                   ? by_platform
                   : FindByBackend(config.backend(), version_entries);
  } else if (!config.platform().empty()) {
    standard = FindByPlatform(config.platform());
    if (standard == nullptr) {
      return InvalidArgument("unexpected platform type '{}' for {}", config.platform(), model_name);
    }
  } else {
    standard = FindByFile(config.default_model_filename(), version_entries);
  }
  if (standard != nullptr) {
    if (config.backend().empty()) {
      config.set_backend(std::string(standard->backend));
    }
    if (config.platform().empty()) {
      config.set_platform(std::string(standard->platform));
    }
    if (config.default_model_filename().empty()) {
      config.set_default_model_filename(std::string(standard->file));
    }
    return OkStatus();
  }
  if (config.backend().empty()) {
    const std::size_t dot = model_name.find('.');
    if (dot == std::string::npos || dot + 1 == model_name.size()) {
      return InvalidArgument(
          "Invalid model name: Could not determine backend for model '{}' with no backend in model "
          "configuration. Expected model name of the form 'model.<backend_name>'.",
          model_name);
    }
    config.set_backend(model_name.substr(dot + 1));
  }
  return OkStatus();
}

Status FillDefaults(const std::string& model_name, inference::ModelConfig& config) {
  if (config.name().empty()) {
    config.set_name(model_name);
  } else if (config.name() != model_name) {
    return InvalidArgument(
        "unexpected directory name '{}' for model '{}', directory name must equal model name",
        model_name, config.name());
  }
  if (config.version_policy().policy_choice_case() ==
      inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET) {
    config.mutable_version_policy()->mutable_latest()->set_num_versions(1);
  }
  if (config.has_dynamic_batching()) {
    FillPreferredSize(config.max_batch_size(), *config.mutable_dynamic_batching());
  }
  if (config.has_sequence_batching()) {
    auto& sequence = *config.mutable_sequence_batching();
    if (sequence.max_sequence_idle_microseconds() == 0) {
      sequence.set_max_sequence_idle_microseconds(kSequenceIdleUsDefault);
    }
    if (sequence.has_oldest()) {
      FillPreferredSize(config.max_batch_size(), *sequence.mutable_oldest());
    }
  }
  if (!config.has_ensemble_scheduling()) {
    auto& optimization = *config.mutable_optimization();
    if (!optimization.has_input_pinned_memory()) {
      optimization.mutable_input_pinned_memory()->set_enable(true);
    }
    if (!optimization.has_output_pinned_memory()) {
      optimization.mutable_output_pinned_memory()->set_enable(true);
    }
  }
  return OkStatus();
}

void FillInstanceGroups(const std::string& model_name, const std::vector<int>& gpus,
                        inference::ModelConfig& config) {
  using Group = inference::ModelInstanceGroup;
  if (config.has_ensemble_scheduling()) {
    return;
  }
  if (config.instance_group().empty()) {
    config.add_instance_group()->set_name(model_name);
  }
  for (int i = 0; i < config.instance_group_size(); ++i) {
    Group& group = *config.mutable_instance_group(i);
    if (group.name().empty()) {
      group.set_name(fmt::format("{}_{}", model_name, i));
    }
    if (group.kind() == Group::KIND_AUTO) {
      group.set_kind(!gpus.empty() ? Group::KIND_GPU : Group::KIND_CPU);
    }
    if (!group.has_count()) {
      group.set_count(DefaultInstanceCount(config, group.kind()));
    }
    if (group.kind() == Group::KIND_GPU && group.gpus().empty()) {
      for (const int gpu : gpus) {
        group.add_gpus(gpu);
      }
    }
  }
}

}  // namespace headrace::repository
