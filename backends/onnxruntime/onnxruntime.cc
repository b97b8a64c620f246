// The onnxruntime backend: ONNX models on the CPU and on GPUs.
#include <memory>
#include <utility>

#include "common/batch_driver.h"
#include "common/entry_points.h"
#include "common/host_placement.h"
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
  OnnxInstance(const OnnxModel& model, std::unique_ptr<RuntimeRun> run)
      : driver_(model.tensors(), model.config()), run_(std::move(run)) {}

  static Error Create(OnnxModel& model, TRITONBACKEND_ModelInstance* handle,
                      std::unique_ptr<OnnxInstance>* instance) {
    SessionDevice device;
    HostPlacement placement;
    HEADRACE_BACKEND_RETURN_IF_ERROR(DeviceOf(handle, &device));
    HEADRACE_BACKEND_RETURN_IF_ERROR(HostPlacement::Of(handle, &placement));
    return Guarded("onnxruntime", [&]() -> Error {
      std::unique_ptr<RuntimeRun> run;
      HEADRACE_BACKEND_RETURN_IF_ERROR(model.MakeRun(std::move(device), placement, &run));
      *instance = std::make_unique<OnnxInstance>(model, std::move(run));
      return {};
    });
  }

  Error Execute(RequestBatch& batch) { return driver_.Execute(batch, *run_); }

 private:
  BatchDriver driver_;
  const std::unique_ptr<RuntimeRun> run_;
};

}  // namespace
}  // namespace headrace::backend

HEADRACE_BACKEND_ENTRY_POINTS("onnxruntime", ::headrace::backend::OnnxModel,
                              ::headrace::backend::OnnxInstance)
