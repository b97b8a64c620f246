// The openvino backend: OpenVINO IR, ONNX, TensorFlow and TensorFlow Lite models on the CPU.
#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "common/auto_complete.h"
#include "common/batch_driver.h"
#include "common/entry_points.h"
#include "common/model_config.h"
#include "openvino/compiled_model.h"
#include "openvino/execution.h"

namespace headrace::backend {
namespace {

// What is looked for, in this order, when the configuration names no file, or the first of these:
// servers fill that name in.
constexpr std::array<const char*, 6> kModelFiles = {
    "model.xml", "model.onnx", "model.savedmodel", "model.graphdef", "model.pb", "model.tflite"};

Error FindModelFile(TRITONBACKEND_Model* handle, const ModelConfig& config, std::string* path) {
  TRITONBACKEND_ArtifactType type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  const char* location = nullptr;
  std::uint64_t version = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelRepository(handle, &type, &location));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelVersion(handle, &version));
  const std::filesystem::path directory = std::filesystem::path(location) / std::to_string(version);
  const std::string& named = config.default_model_filename;
  const bool any = named.empty() || named == kModelFiles.front();
  std::vector<std::string> candidates(1, named);
  if (any) {
    candidates.assign(kModelFiles.begin(), kModelFiles.end());
  }
  for (const std::string& name : candidates) {
    *path = (directory / name).string();
    std::error_code ignored;
    if (std::filesystem::exists(*path, ignored)) {
      return {};
    }
  }
  return Unavailable("unable to find a model in '{}'; it holds none of {}", directory.string(),
                     fmt::join(candidates, ", "));
}

class OpenVinoModel {
 public:
  static Error Create(TRITONBACKEND_Model* handle, std::unique_ptr<OpenVinoModel>* model) {
    auto created = std::make_unique<OpenVinoModel>();
    HEADRACE_BACKEND_RETURN_IF_ERROR(created->Load(handle));
    *model = std::move(created);
    return {};
  }

  const std::shared_ptr<CompiledModel>& compiled() const { return compiled_; }
  const ModelConfig& config() const { return config_; }

 private:
  Error Load(TRITONBACKEND_Model* handle) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(handle, &config_));
    std::string path;
    HEADRACE_BACKEND_RETURN_IF_ERROR(FindModelFile(handle, config_, &path));
    HEADRACE_BACKEND_RETURN_IF_ERROR(CompiledModel::Load(path, config_, &compiled_));
    return SettleConfig(handle, compiled_->tensors(), &config_);
  }

  ModelConfig config_;
  std::shared_ptr<CompiledModel> compiled_;
};

class OpenVinoInstance {
 public:
  explicit OpenVinoInstance(OpenVinoModel& model)
      : driver_(model.compiled()->tensors(), model.config()), execution_(model.compiled()) {}

  static Error Create(OpenVinoModel& model, TRITONBACKEND_ModelInstance* handle,
                      std::unique_ptr<OpenVinoInstance>* instance) {
    TRITONSERVER_InstanceGroupKind kind = TRITONSERVER_INSTANCEGROUPKIND_CPU;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceKind(handle, &kind));
    if (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU) {
      return Unsupported(
          "instance_group kind KIND_GPU: this backend serves on the CPU; use KIND_CPU");
    }
    return Guarded("openvino", [&]() -> Error {
      *instance = std::make_unique<OpenVinoInstance>(model);
      return {};
    });
  }

  Error Execute(RequestBatch& batch) { return driver_.Execute(batch, execution_); }

 private:
  BatchDriver driver_;
  OpenVinoExecution execution_;
};

}  // namespace
}  // namespace headrace::backend

HEADRACE_BACKEND_ENTRY_POINTS("openvino", ::headrace::backend::OpenVinoModel,
                              ::headrace::backend::OpenVinoInstance)
