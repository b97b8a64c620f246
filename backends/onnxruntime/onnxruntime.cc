// The onnxruntime backend: ONNX models on the CPU.
#include <filesystem>
#include <memory>
#include <string>

#include "common/auto_complete.h"
#include "common/backend_config.h"
#include "common/batch_driver.h"
#include "common/entry_points.h"
#include "common/log.h"
#include "common/model_config.h"
#include "onnxruntime/execution.h"
#include "onnxruntime/session.h"

namespace headrace::backend {
namespace {

// <repository>/<version>/<default_model_filename, or model.onnx>; a directory of that name holds a
// model.onnx.
Error FindModelFile(TRITONBACKEND_Model* handle, const ModelConfig& config, std::string* path) {
  TRITONBACKEND_ArtifactType type = TRITONBACKEND_ARTIFACT_FILESYSTEM;
  const char* location = nullptr;
  std::uint64_t version = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelRepository(handle, &type, &location));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelVersion(handle, &version));
  const std::string& name = config.default_model_filename;
  std::filesystem::path file = std::filesystem::path(location) / std::to_string(version) /
                               (name.empty() ? "model.onnx" : name);
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) {
    file /= "model.onnx";
  }
  if (!std::filesystem::exists(file, ignored)) {
    return Unavailable(
        "unable to find '{}'; put the ONNX model there, or name it by default_model_filename",
        file.string());
  }
  *path = file.string();
  return {};
}

class OnnxModel {
 public:
  static Error Create(TRITONBACKEND_Model* handle, std::unique_ptr<OnnxModel>* model) {
    auto created = std::make_unique<OnnxModel>();
    HEADRACE_BACKEND_RETURN_IF_ERROR(created->Load(handle));
    *model = std::move(created);
    return {};
  }

  static void Describe(TRITONBACKEND_BackendAttribute* attributes) {
    HEADRACE_BACKEND_LOG_IF_ERROR(
        TRITONBACKEND_BackendAttributeSetParallelModelInstanceLoading(attributes, true),
        "parallel instance loading could not be declared");
  }

  const std::shared_ptr<OnnxSession>& session() const { return session_; }
  const ModelConfig& config() const { return config_; }
  const SessionSettings& settings() const { return settings_; }

 private:
  Error Load(TRITONBACKEND_Model* handle) {
    TRITONBACKEND_Backend* backend = nullptr;
    BackendConfig backend_config;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelBackend(handle, &backend));
    HEADRACE_BACKEND_RETURN_IF_ERROR(BackendConfig::Read(backend, &backend_config));
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(handle, &config_));
    HEADRACE_BACKEND_RETURN_IF_ERROR(SessionSettings::Read(config_, backend_config, &settings_));
    std::string path;
    HEADRACE_BACKEND_RETURN_IF_ERROR(FindModelFile(handle, config_, &path));
    HEADRACE_BACKEND_RETURN_IF_ERROR(OnnxSession::Load(path, settings_, &session_));
    return SettleConfig(handle, session_->tensors(), &config_);
  }

  ModelConfig config_;
  SessionSettings settings_;
  std::shared_ptr<OnnxSession> session_;
};

class OnnxInstance {
 public:
  explicit OnnxInstance(OnnxModel& model)
      : driver_(model.session()->tensors(), model.config()),
        execution_(model.session(), model.settings()) {}

  static Error Create(OnnxModel& model, TRITONBACKEND_ModelInstance* handle,
                      std::unique_ptr<OnnxInstance>* instance) {
    TRITONSERVER_InstanceGroupKind kind = TRITONSERVER_INSTANCEGROUPKIND_CPU;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceKind(handle, &kind));
    if (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU) {
      return Unsupported(
          "instance_group kind KIND_GPU: this backend serves on the CPU; use KIND_CPU");
    }
    return Guarded("onnxruntime", [&]() -> Error {
      *instance = std::make_unique<OnnxInstance>(model);
      return {};
    });
  }

  Error Execute(RequestBatch& batch) { return driver_.Execute(batch, execution_); }

 private:
  BatchDriver driver_;
  OnnxExecution execution_;
};

}  // namespace
}  // namespace headrace::backend

HEADRACE_BACKEND_ENTRY_POINTS("onnxruntime", ::headrace::backend::OnnxModel,
                              ::headrace::backend::OnnxInstance)
