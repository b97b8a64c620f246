// The onnxruntime backend: ONNX models on the CPU and on GPUs.
#include <memory>
#include <utility>

#include "common/batch_driver.h"
#include "common/entry_points.h"
#include "common/host_placement.h"
#include "common/log.h"
#include "common/operator_profile.h"
#include "onnxruntime/onnx_model.h"

namespace headrace::backend {
namespace {

// KIND_AUTO and KIND_MODEL are what a server could not make more of.
Error DeviceOf(TRITONBACKEND_ModelInstance* handle, SessionDevice* device) {
  TRITONSERVER_InstanceGroupKind kind = TRITONSERVER_INSTANCEGROUPKIND_CPU;
  std::int32_t gpu = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceKind(handle, &kind));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceDeviceId(handle, &gpu));
  if (kind == TRITONSERVER_INSTANCEGROUPKIND_GPU) {
    *device = {.on_gpu = true, .gpu = gpu};
  }
  return {};
}

class OnnxInstance {
 public:
  OnnxInstance(OnnxModel& model, SessionDevice device, HostPlacement placement,
               std::unique_ptr<RuntimeRun> run)
      : model_(model),
        device_(std::move(device)),
        placement_(std::move(placement)),
        driver_(model.tensors(), model.config()),
        run_(std::move(run)) {}

  static Error Create(OnnxModel& model, TRITONBACKEND_ModelInstance* handle,
                      std::unique_ptr<OnnxInstance>* instance) {
    SessionDevice device;
    HostPlacement placement;
    HEADRACE_BACKEND_RETURN_IF_ERROR(DeviceOf(handle, &device));
    HEADRACE_BACKEND_RETURN_IF_ERROR(HostPlacement::Of(handle, &placement));
    return Guarded("onnxruntime", [&]() -> Error {
      std::unique_ptr<RuntimeRun> run;
      HEADRACE_BACKEND_RETURN_IF_ERROR(model.MakeRun(device, placement, &run));
      *instance = std::make_unique<OnnxInstance>(model, std::move(device), std::move(placement),
                                                 std::move(run));
      return {};
    });
  }

  Error Execute(RequestBatch& batch) {
    const std::shared_ptr<SessionProfile> profile = model_.profile().Get();
    if (profile != profile_) {
      Follow(profile);
    }
    return driver_.Execute(batch, profiled_run_ != nullptr ? *profiled_run_ : *run_);
  }

 private:
  // The model begins to be profiled, or ends it.
  void Follow(const std::shared_ptr<SessionProfile>& profile) {
    profile_ = profile;
    profiled_run_.reset();
    if (profile_ != nullptr) {
      HEADRACE_BACKEND_LOG_IF_ERROR(Guarded("onnxruntime",
                                            [&] {
                                              return model_.MakeProfiledRun(
                                                  device_, placement_, *profile_, &profiled_run_);
                                            }),
                                    "an instance is left out of the profile");
    }
  }

  OnnxModel& model_;
  const SessionDevice device_;
  const HostPlacement placement_;
  BatchDriver driver_;
  const std::unique_ptr<RuntimeRun> run_;
  std::shared_ptr<SessionProfile> profile_;   // the one that profiled_run_ belongs to
  std::unique_ptr<RuntimeRun> profiled_run_;  // null: run_ is used
};

}  // namespace
}  // namespace headrace::backend

HEADRACE_BACKEND_ENTRY_POINTS("onnxruntime", ::headrace::backend::OnnxModel,
                              ::headrace::backend::OnnxInstance)
HEADRACE_BACKEND_PROFILE_ENTRY_POINTS("onnxruntime", ::headrace::backend::OnnxModel)
