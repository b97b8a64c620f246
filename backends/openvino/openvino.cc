// The openvino backend: OpenVINO IR, ONNX, TensorFlow and TensorFlow Lite models on the CPU.
#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/auto_complete.h"
#include "common/backend_config.h"
#include "common/batch_driver.h"
#include "common/entry_points.h"
#include "common/host_placement.h"
#include "common/log.h"
#include "common/model_config.h"
#include "common/model_file.h"
#include "common/model_location.h"
#include "common/operator_profile.h"
#include "openvino/compiled_model.h"
#include "openvino/execution.h"
#include "openvino/node_profile.h"

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

  const ModelConfig& config() const { return config_; }

  Error StartProfile(const ProfileOptions&) {
    return profile_.On(std::make_shared<NodeProfile>([this](std::shared_ptr<CompiledModel>* model) {
      return CompiledModel::Load(source_, config_, probe_, 0, model, true);
    }));
  }
  Error StopProfile(OperatorProfile* profile) {
    const std::shared_ptr<NodeProfile> recorded = profile_.Off();
    if (recorded == nullptr) {
      return InvalidArgument("the model is not being profiled");
    }
    recorded->Finish(profile);
    return {};
  }
  const ProfileSwitch<NodeProfile>& profile() const { return profile_; }

  // What an instance with `placement` runs. Blocks where it is the first one that is bound.
  Error CompiledFor(const HostPlacement& placement, std::shared_ptr<CompiledModel>* compiled) {
    const std::lock_guard lock(mutex_);
    if (placement.cpus.empty()) {
      *compiled = compiled_ != nullptr ? compiled_ : bound_;
      return {};
    }
    if (bound_ == nullptr) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(CompiledModel::Load(
          source_, config_, probe_, placement.thread_count * config_.InstanceCount(), &bound_));
    }
    if (compiled_.use_count() == 1) {
      compiled_.reset();  // no instance uses it, and its weights take memory
    }
    *compiled = bound_;
    return {};
  }

 private:
  Error Load(TRITONBACKEND_Model* handle) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(handle, &config_));
    ModelLocation location;
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelLocation::Of(handle, &location));
    source_.model_directory = location.model_directory.string();
    HEADRACE_BACKEND_RETURN_IF_ERROR(FindModelFile(handle, FileNames(config_), &source_.path));
    HEADRACE_BACKEND_RETURN_IF_ERROR(FindProbe(handle, &probe_));
    HEADRACE_BACKEND_RETURN_IF_ERROR(CompiledModel::Load(source_, config_, probe_, 0, &compiled_));
    return SettleConfig(handle, compiled_->tensors(), &config_);
  }

  ModelConfig config_;
  ModelSource source_;
  ModelProbe probe_;
  ProfileSwitch<NodeProfile> profile_;
  std::mutex
      mutex_;  // guards what follows; held while a model is compiled: others that want it wait
  std::shared_ptr<CompiledModel> compiled_;  // null as soon as all instances turn out to be bound
  std::shared_ptr<CompiledModel> bound_;     // for instances that are bound to cores; null: none is
};

class OpenVinoInstance {
 public:
  OpenVinoInstance(const OpenVinoModel& model, const std::shared_ptr<CompiledModel>& compiled)
      : model_(model),
        compiled_(compiled),
        driver_(compiled_->tensors(), model.config()),
        execution_(compiled_) {}

  static Error Create(OpenVinoModel& model, TRITONBACKEND_ModelInstance* handle,
                      std::unique_ptr<OpenVinoInstance>* instance) {
    TRITONSERVER_InstanceGroupKind kind = TRITONSERVER_INSTANCEGROUPKIND_CPU;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceKind(handle, &kind));
    if (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU) {
      return Unsupported(
          "instance_group kind KIND_GPU: this backend serves on the CPU; use KIND_CPU");
    }
    HostPlacement placement;
    HEADRACE_BACKEND_RETURN_IF_ERROR(HostPlacement::Of(handle, &placement));
    std::shared_ptr<CompiledModel> compiled;
    HEADRACE_BACKEND_RETURN_IF_ERROR(model.CompiledFor(placement, &compiled));
    return Guarded("openvino", [&]() -> Error {
      *instance = std::make_unique<OpenVinoInstance>(model, compiled);
      return {};
    });
  }

  Error Execute(RequestBatch& batch) {
    const std::shared_ptr<NodeProfile> profile = model_.profile().Get();
    if (profile != profile_) {
      Follow(profile);
    }
    return driver_.Execute(batch, profiled_ != nullptr ? *profiled_ : execution_);
  }

 private:
  // The model begins to be profiled, or ends it.
  void Follow(const std::shared_ptr<NodeProfile>& profile) {
    profile_ = profile;
    profiled_.reset();
    if (profile_ == nullptr) {
      return;
    }
    HEADRACE_BACKEND_LOG_IF_ERROR(
        Guarded("openvino",
                [&]() -> Error {
                  std::shared_ptr<CompiledModel> counting;
                  HEADRACE_BACKEND_RETURN_IF_ERROR(profile_->Model(&counting));
                  profiled_ = std::make_unique<OpenVinoExecution>(std::move(counting), profile_);
                  return {};
                }),
        "an instance is left out of the profile");
  }

  const OpenVinoModel& model_;
  const std::shared_ptr<CompiledModel> compiled_;
  BatchDriver driver_;
  OpenVinoExecution execution_;
  std::shared_ptr<NodeProfile> profile_;         // the one that profiled_ belongs to
  std::unique_ptr<OpenVinoExecution> profiled_;  // null: execution_ is used
};

}  // namespace
}  // namespace headrace::backend

HEADRACE_BACKEND_ENTRY_POINTS("openvino", ::headrace::backend::OpenVinoModel,
                              ::headrace::backend::OpenVinoInstance)
HEADRACE_BACKEND_PROFILE_ENTRY_POINTS("openvino", ::headrace::backend::OpenVinoModel)
