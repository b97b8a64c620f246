// The openvino backend: OpenVINO IR, ONNX, TensorFlow and TensorFlow Lite models on the CPU.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "common/auto_complete.h"
#include "common/backend_config.h"
#include "common/batch_driver.h"
#include "common/entry_points.h"
#include "common/model_config.h"
#include "common/model_file.h"
#include "common/model_location.h"
#include "openvino/compiled_model.h"
#include "openvino/execution.h"

namespace headrace::backend {
namespace {

// What is looked for, in this order, when the configuration names no file, or the first of these:
// servers fill that name in.
constexpr std::array<const char*, 6> kModelFiles = {
    "model.xml", "model.onnx", "model.savedmodel", "model.graphdef", "model.pb", "model.tflite"};

std::vector<std::string> FileNames(const ModelConfig& config) {
  const std::string& named = config.default_model_filename;
  if (named.empty() || named == kModelFiles.front()) {
    return {kModelFiles.begin(), kModelFiles.end()};
  }
  return {named};
}

// The probe beside the backend's library, unless `--backend-config=openvino,probe=false`.
Error FindProbe(TRITONBACKEND_Model* handle, ModelProbe* probe) {
  TRITONBACKEND_Backend* backend = nullptr;
  TRITONBACKEND_ArtifactType type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  const char* directory = nullptr;
  BackendConfig settings;
  bool wanted = true;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelBackend(handle, &backend));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_BackendArtifacts(backend, &type, &directory));
  HEADRACE_BACKEND_RETURN_IF_ERROR(BackendConfig::Read(backend, &settings));
  HEADRACE_BACKEND_RETURN_IF_ERROR(settings.Get("probe", &wanted));
  if (wanted) {
    *probe = ModelProbe::In(directory);
  }
  return {};
}

class OpenVinoModel {
 public:
  static Error Create(TRITONBACKEND_Model* handle, std::unique_ptr<OpenVinoModel>* model) {
    auto created = std::make_unique<OpenVinoModel>();
    HEADRACE_BACKEND_RETURN_IF_ERROR(created->Load(handle));
    *model = std::move(created);
    return {};
  }

  static void Describe(TRITONBACKEND_BackendAttribute* attributes) { PreferCpu(attributes); }

  const std::shared_ptr<CompiledModel>& compiled() const { return compiled_; }
  const ModelConfig& config() const { return config_; }

 private:
  Error Load(TRITONBACKEND_Model* handle) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(handle, &config_));
    ModelLocation location;
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelLocation::Of(handle, &location));
    ModelSource source{.path = {}, .model_directory = location.model_directory.string()};
    HEADRACE_BACKEND_RETURN_IF_ERROR(FindModelFile(handle, FileNames(config_), &source.path));
    ModelProbe probe;
    HEADRACE_BACKEND_RETURN_IF_ERROR(FindProbe(handle, &probe));
    HEADRACE_BACKEND_RETURN_IF_ERROR(CompiledModel::Load(source, config_, probe, &compiled_));
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
