#include "device/cuda_driver.h"

#include <dlfcn.h>

namespace headrace::device {
namespace {

constexpr char kLibrary[] = "libcuda.so.1";

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

Result<CudaDriver> CudaDriver::Open() {
  // Never closed: the driver keeps threads of its own.
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return NotFound("{}", reason != nullptr ? reason : kLibrary);
  }
  CudaDriver driver;
  const bool complete =
      Resolve(library, "cuInit", &driver.cuInit) &&
      Resolve(library, "cuGetErrorString", &driver.cuGetErrorString) &&
      Resolve(library, "cuDeviceGetCount", &driver.cuDeviceGetCount) &&
      Resolve(library, "cuDeviceGet", &driver.cuDeviceGet) &&
      Resolve(library, "cuDeviceGetName", &driver.cuDeviceGetName) &&
      Resolve(library, "cuDeviceGetUuid", &driver.cuDeviceGetUuid) &&
      Resolve(library, "cuDeviceTotalMem_v2", &driver.cuDeviceTotalMem) &&
      Resolve(library, "cuDeviceGetAttribute", &driver.cuDeviceGetAttribute) &&
      Resolve(library, "cuDevicePrimaryCtxRetain", &driver.cuDevicePrimaryCtxRetain) &&
      Resolve(library, "cuDevicePrimaryCtxRelease_v2", &driver.cuDevicePrimaryCtxRelease) &&
      Resolve(library, "cuCtxPushCurrent_v2", &driver.cuCtxPushCurrent) &&
      Resolve(library, "cuCtxPopCurrent_v2", &driver.cuCtxPopCurrent) &&
      Resolve(library, "cuMemAlloc_v2", &driver.cuMemAlloc) &&
      Resolve(library, "cuMemFree_v2", &driver.cuMemFree) &&
      Resolve(library, "cuMemHostAlloc", &driver.cuMemHostAlloc) &&
      Resolve(library, "cuMemFreeHost", &driver.cuMemFreeHost) &&
      Resolve(library, "cuMemHostRegister_v2", &driver.cuMemHostRegister) &&
      Resolve(library, "cuMemHostUnregister", &driver.cuMemHostUnregister);
  if (!complete) {
    return NotFound("{} lacks a function that is needed: the driver is older than CUDA 7",
                    kLibrary);
  }
  if (const CudaResult error = driver.cuInit(0); error != 0) {
    return Internal("{} does not initialise: {}", kLibrary, driver.ErrorText(error));
  }
  return driver;
}

std::string CudaDriver::ErrorText(CudaResult error) const {
  const char* text = nullptr;
  if (cuGetErrorString(error, &text) != 0 || text == nullptr) {
    text = "unknown CUDA error";
  }
  return fmt::format("{} ({})", text, error);
}

}  // namespace headrace::device
