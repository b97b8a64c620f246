// The part of CUDA's driver interface that the server uses itself, found at run time.
//
// The program links no CUDA: a machine without a driver simply has no GPU. The types are those of
// the driver's public C interface, which keeps its binary form; functions carry the version suffix
// that the interface resolves their plain names to.
#ifndef HEADRACE_DEVICE_CUDA_DRIVER_H_
#define HEADRACE_DEVICE_CUDA_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace headrace::device {

using CudaResult = int;  // 0 = success
using CudaDevice = int;
using CudaContext = void*;
using CudaAddress = std::uint64_t;

struct CudaUuid {
  unsigned char bytes[16];
};
struct CudaIpcHandle {
  unsigned char bytes[64];
};

// A table of functions; a test fills in its own. Immutable once made, and the functions are
// thread-safe.
struct CudaDriver {
  CudaResult (*cuInit)(unsigned flags) = nullptr;
  CudaResult (*cuGetErrorString)(CudaResult error, const char** text) = nullptr;
  CudaResult (*cuDeviceGetCount)(int* count) = nullptr;
  CudaResult (*cuDeviceGet)(CudaDevice* device, int ordinal) = nullptr;
  CudaResult (*cuDeviceGetName)(char* name, int byte_size, CudaDevice device) = nullptr;
  CudaResult (*cuDeviceGetUuid)(CudaUuid* uuid, CudaDevice device) = nullptr;
  CudaResult (*cuDeviceTotalMem)(std::size_t* byte_size, CudaDevice device) = nullptr;
  CudaResult (*cuDeviceGetAttribute)(int* value, int attribute, CudaDevice device) = nullptr;
  CudaResult (*cuDevicePrimaryCtxRetain)(CudaContext* context, CudaDevice device) = nullptr;
  CudaResult (*cuDevicePrimaryCtxRelease)(CudaDevice device) = nullptr;
  CudaResult (*cuCtxPushCurrent)(CudaContext context) = nullptr;
  CudaResult (*cuCtxPopCurrent)(CudaContext* context) = nullptr;
  CudaResult (*cuMemAlloc)(CudaAddress* address, std::size_t byte_size) = nullptr;
  CudaResult (*cuMemFree)(CudaAddress address) = nullptr;
  CudaResult (*cuMemHostAlloc)(void** memory, std::size_t byte_size, unsigned flags) = nullptr;
  CudaResult (*cuMemFreeHost)(void* memory) = nullptr;
  CudaResult (*cuMemHostRegister)(void* memory, std::size_t byte_size, unsigned flags) = nullptr;
  CudaResult (*cuMemHostUnregister)(void* memory) = nullptr;

  // Opens the driver's library and resolves the table. NOT_FOUND, with the loader's text, on a
  // machine without the driver; INTERNAL with the driver's text if it does not initialise.
  // Thread-safe.
  static Result<CudaDriver> Open();

  // "out of memory (2)".
  std::string ErrorText(CudaResult error) const;
};

// Attribute numbers of cuDeviceGetAttribute.
inline constexpr int kComputeCapabilityMajor = 75;
inline constexpr int kComputeCapabilityMinor = 76;
// Flag of cuMemHostAlloc and cuMemHostRegister: page-locked for every context.
inline constexpr unsigned kHostPortable = 1;

}  // namespace headrace::device

#endif  // HEADRACE_DEVICE_CUDA_DRIVER_H_
