#include "onnxruntime/cuda_copy.h"

#include <dlfcn.h>

namespace headrace::backend {
namespace {

// The driver's public C interface, which keeps its binary form; cuCtx functions carry the suffix
// that their plain names resolve to.
using CudaResult = int;
using CudaContext = void*;
using CudaAddress = std::uint64_t;

constexpr const char* kDriver = "libcuda.so.1";

struct Driver {
  CudaResult (*init)(unsigned) = nullptr;
  CudaResult (*device_get)(int*, int) = nullptr;
  CudaResult (*context_retain)(CudaContext*, int) = nullptr;
  CudaResult (*context_release)(int) = nullptr;
  CudaResult (*context_push)(CudaContext) = nullptr;
  CudaResult (*context_pop)(CudaContext*) = nullptr;
  CudaResult (*copy)(CudaAddress, CudaAddress, std::size_t) = nullptr;
  CudaResult (*synchronize)() = nullptr;
};

template <typename Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

Error OpenDriver(Driver* driver) {
  void* const library = dlopen(kDriver, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return Unsupported("there is no driver for GPUs: {}", reason == nullptr ? kDriver : reason);
  }
  const bool found = Find(library, "cuInit", &driver->init) &&
                     Find(library, "cuDeviceGet", &driver->device_get) &&
                     Find(library, "cuDevicePrimaryCtxRetain", &driver->context_retain) &&
                     Find(library, "cuDevicePrimaryCtxRelease_v2", &driver->context_release) &&
                     Find(library, "cuCtxPushCurrent_v2", &driver->context_push) &&
                     Find(library, "cuCtxPopCurrent_v2", &driver->context_pop) &&
                     Find(library, "cuMemcpy", &driver->copy) &&
                     Find(library, "cuCtxSynchronize", &driver->synchronize);
  return found ? Error() : Unsupported("the driver '{}' lacks functions that are needed", kDriver);
}

class CudaCopy final : public DeviceCopy {
 public:
  CudaCopy(const Driver& driver, int device, CudaContext context)
      : driver_(driver), device_(device), context_(context) {}
  ~CudaCopy() override { driver_.context_release(device_); }

  Error Copy(std::span<const std::byte> source, std::span<std::byte> destination) override {
    CudaResult result = driver_.context_push(context_);
    if (result == 0) {
      result = driver_.copy(reinterpret_cast<CudaAddress>(destination.data()),
                            reinterpret_cast<CudaAddress>(source.data()), source.size());
      // A copy within a device returns before it is done.
      const CudaResult done = driver_.synchronize();
      result = result == 0 ? done : result;
      CudaContext popped = nullptr;
      driver_.context_pop(&popped);
    }
    return result == 0 ? Error()
                       : Internal("a copy of {} bytes failed with the driver's error {}",
                                  source.size(), result);
  }

 private:
  const Driver driver_;
  const int device_;
  const CudaContext context_;
};

}  // namespace

Error OpenCudaCopy(std::int64_t gpu, std::shared_ptr<DeviceCopy>* copy) {
  Driver driver;
  HEADRACE_BACKEND_RETURN_IF_ERROR(OpenDriver(&driver));
  int device = 0;
  CudaContext context = nullptr;
  CudaResult result = driver.init(0);
  result = result != 0 ? result : driver.device_get(&device, static_cast<int>(gpu));
  result = result != 0 ? result : driver.context_retain(&context, device);
  if (result != 0) {
    return Internal("GPU {} cannot be used; the driver's error is {}", gpu, result);
  }
  *copy = std::make_shared<CudaCopy>(driver, device, context);
  return {};
}

}  // namespace headrace::backend
