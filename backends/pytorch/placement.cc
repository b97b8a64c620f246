#include "pytorch/placement.h"

#include <ATen/Context.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <string>

#include "common/log.h"

namespace headrace::backend {
namespace {

constexpr const char* kDriver = "libcuda.so.1";
// Found by this library's run path.
constexpr const char* kDeviceLibrary = "libtorch_cuda.so";

// Why devices cannot be used; empty: they can, as far as libraries go.
std::string LoadLibraries() {
  if (dlopen(kDriver, RTLD_LAZY | RTLD_LOCAL) == nullptr) {
    return fmt::format("there is no CUDA driver ({} cannot be loaded)", kDriver);
  }
  // Compiled packages for a GPU look for its symbols, so they are global.
  if (dlopen(kDeviceLibrary, RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* const reason = dlerror();
    HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_WARN,
                         "there is a CUDA driver, but {} cannot be loaded, and models stay on the "
                         "CPU: {}",
                         kDeviceLibrary, reason == nullptr ? "" : reason);
    return fmt::format("PyTorch's {} cannot be loaded; install all that PyTorch requires",
                       kDeviceLibrary);
  }
  return {};
}

const std::string& LibraryProblem() {
  static const std::string problem = LoadLibraries();
  return problem;
}

int DeviceCount() {
  if (!LibraryProblem().empty() || !at::hasCUDA()) {
    return 0;
  }
  return c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).deviceCount();
}

}  // namespace

void LoadDeviceSupport() { LibraryProblem(); }

Error CheckDevices() {
  if (!LibraryProblem().empty()) {
    return Unsupported("no GPU can be used: {}", LibraryProblem());
  }
  if (DeviceCount() == 0) {
    return Unsupported("no GPU can be used: PyTorch finds no CUDA device");
  }
  return {};
}

Error Placement::Of(TRITONBACKEND_ModelInstance* instance, Placement* placement) {
  TRITONSERVER_InstanceGroupKind group_kind = TRITONSERVER_INSTANCEGROUPKIND_CPU;
  std::int32_t device = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceKind(instance, &group_kind));
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceDeviceId(instance, &device));
  *placement = {};
  if (group_kind == TRITONSERVER_INSTANCEGROUPKIND_MODEL) {
    placement->kind = Kind::kModel;
  }
  if (group_kind != TRITONSERVER_INSTANCEGROUPKIND_GPU) {
    return {};
  }
  if (Error error = CheckDevices(); !error.ok()) {
    return Unsupported("instance_group kind KIND_GPU: {}; use KIND_CPU", error.message());
  }
  if (device < 0 || device >= DeviceCount()) {
    return InvalidArgument("instance_group names GPU {}, but PyTorch finds {} of them", device,
                           DeviceCount());
  }
  placement->kind = Kind::kGpu;
  placement->gpu = device;
  return {};
}

}  // namespace headrace::backend
