// Copies to and from GPUs, without linking CUDA.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_CUDA_COPY_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_CUDA_COPY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "common/error.h"

namespace headrace::backend {

// What copies between memory of any kind: host, pinned, device.
class DeviceCopy {
 public:
  virtual ~DeviceCopy() = default;
  // Done when it returns. `source` and `destination` are of one size.
  virtual Error Copy(std::span<const std::byte> source, std::span<std::byte> destination) = 0;
};

// With the driver that the machine has. The addresses tell the driver where they are. UNSUPPORTED
// with the loader's text if there is none, INTERNAL with the driver's number if it fails. The
// result is thread-safe.
Error OpenCudaCopy(std::int64_t gpu, std::shared_ptr<DeviceCopy>* copy);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_CUDA_COPY_H_
