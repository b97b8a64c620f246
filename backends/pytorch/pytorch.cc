// The pytorch backend: TorchScript (.pt) and packages compiled by AOTInductor (.pt2).
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/auto_complete.h"
#include "common/batch_driver.h"
#include "common/entry_points.h"
#include "common/host_placement.h"
#include "common/log.h"
#include "common/model_config.h"
#include "common/model_file.h"
#include "common/operator_profile.h"
#include "pytorch/kineto_profile.h"
#include "pytorch/placement.h"
#include "pytorch/process_settings.h"
#include "pytorch/settings.h"
#include "pytorch/torch_model.h"

namespace headrace::backend {
namespace {

// Servers fill in the first name where the configuration names no file.
std::vector<std::string> FileNames(const ModelConfig& config) {
  const std::string& named = config.default_model_filename;
  if (!named.empty() && named != "model.pt") {
    return {named};
  }
  if (config.Text("/platform") == "torch_aoti") {
    return {"model.pt2", "model.pt"};
  }
  return {"model.pt", "model.pt2"};
}

class PyTorchModel {
 public:
  static Error Create(TRITONBACKEND_Model* handle, std::unique_ptr<PyTorchModel>* model) {
    auto created = std::make_unique<PyTorchModel>();
    HEADRACE_BACKEND_RETURN_IF_ERROR(created->Load(handle));
    *model = std::move(created);
    return {};
  }

  static void Describe(TRITONBACKEND_BackendAttribute* attributes) {
    HEADRACE_BACKEND_LOG_IF_ERROR(
        TRITONBACKEND_BackendAttributeSetParallelModelInstanceLoading(attributes, true),
        "parallel instance loading could not be declared");
  }

  Error StartProfile(const ProfileOptions& options) {
    std::shared_ptr<KinetoProfile> profile;
    HEADRACE_BACKEND_RETURN_IF_ERROR(KinetoProfile::Start(options, &profile));
    return profile_.On(std::move(profile));
  }
  Error StopProfile(OperatorProfile* profile) {
    const std::shared_ptr<KinetoProfile> recorded = profile_.Off();
    if (recorded == nullptr) {
      return InvalidArgument("the model is not being profiled");
    }
    recorded->Finish(profile);
    return {};
  }
  const ProfileSwitch<KinetoProfile>& profile() const { return profile_; }

  TorchModel& model() { return *model_; }
  const ModelConfig& config() const { return config_; }

 private:
  Error Load(TRITONBACKEND_Model* handle) {
    LoadDeviceSupport();
    HEADRACE_BACKEND_RETURN_IF_ERROR(ModelConfig::Read(handle, &config_));
    PyTorchSettings settings;
    HEADRACE_BACKEND_RETURN_IF_ERROR(PyTorchSettings::Read(config_, ProcessCoreCount(), &settings));
    std::string path;
    const std::vector<std::string> names = FileNames(config_);
    HEADRACE_BACKEND_RETURN_IF_ERROR(FindModelFile(handle, names, &path));
    ApplyToProcess(settings);
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        RunApart([&] { return TorchModel::Load(path, config_, settings, &model_); }));
    if (model_->describes_itself()) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(SettleConfig(handle, model_->tensors(), &config_));
    }
    if (config_.max_batch_size > model_->batch_size_max()) {
      return InvalidArgument(
          "max_batch_size is {}, but the package was compiled for batches of at most {}",
          config_.max_batch_size, model_->batch_size_max());
    }
    return {};
  }

  ModelConfig config_;
  std::unique_ptr<TorchModel> model_;
  ProfileSwitch<KinetoProfile> profile_;
};

class PyTorchInstance {
 public:
  PyTorchInstance(PyTorchModel& model, std::unique_ptr<RuntimeRun> run)
      : model_(model), driver_(model.model().tensors(), model.config()), run_(std::move(run)) {}

  static Error Create(PyTorchModel& model, TRITONBACKEND_ModelInstance* handle,
                      std::unique_ptr<PyTorchInstance>* instance) {
    Placement placement;
    HostPlacement host;
    HEADRACE_BACKEND_RETURN_IF_ERROR(Placement::Of(handle, &placement));
    HEADRACE_BACKEND_RETURN_IF_ERROR(HostPlacement::Of(handle, &host));
    std::unique_ptr<RuntimeRun> run;
    HEADRACE_BACKEND_RETURN_IF_ERROR(RunApart(
        [&] { return model.model().NewRun(placement, model.config(), host.thread_count, &run); }));
    *instance = std::make_unique<PyTorchInstance>(model, std::move(run));
    return {};
  }

  Error Execute(RequestBatch& batch) {
    if (const auto profile = model_.profile().Get()) {
      const auto execution = profile->Enter();
      return driver_.Execute(batch, *run_);
    }
    return driver_.Execute(batch, *run_);
  }

 private:
  const PyTorchModel& model_;
  BatchDriver driver_;
  std::unique_ptr<RuntimeRun> run_;
};

}  // namespace
}  // namespace headrace::backend

HEADRACE_BACKEND_ENTRY_POINTS("pytorch", ::headrace::backend::PyTorchModel,
                              ::headrace::backend::PyTorchInstance)
HEADRACE_BACKEND_PROFILE_ENTRY_POINTS("pytorch", ::headrace::backend::PyTorchModel)
