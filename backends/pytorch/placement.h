// Where an instance computes.
#ifndef HEADRACE_BACKENDS_PYTORCH_PLACEMENT_H_
#define HEADRACE_BACKENDS_PYTORCH_PLACEMENT_H_

#include <cstdint>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

// A value type.
struct Placement {
  enum class Kind {
    kCpu,
    kGpu,
    kModel,  // the model file says where its tensors are (KIND_MODEL)
  };
  Kind kind = Kind::kCpu;
  std::int64_t gpu = 0;  // with kGpu

  // What the server says of an instance. UNSUPPORTED, with the reason, if it is a GPU that cannot
  // be used.
  static Error Of(TRITONBACKEND_ModelInstance* instance, Placement* placement);

  bool operator==(const Placement&) const = default;
  bool operator<(const Placement& other) const {
    return kind != other.kind ? kind < other.kind : gpu < other.gpu;
  }
};

// Loads PyTorch's CUDA libraries into this process if there is a driver; once, before anything asks
// PyTorch for its devices. Thread-safe.
void LoadDeviceSupport();
// Whether there is at least one device that PyTorch can compute on, and if not, why.
Error CheckDevices();

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_PLACEMENT_H_
