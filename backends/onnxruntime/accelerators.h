// What optimization.execution_accelerators ask of ONNX Runtime.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_ACCELERATORS_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_ACCELERATORS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/model_config.h"

namespace headrace::backend {

// Options of one of the runtime's execution providers, in the runtime's own names.
using ProviderOptions = std::map<std::string, std::string, std::less<>>;

struct GpuProvider {
  enum class Kind { kTensorRt, kCuda };
  Kind kind = Kind::kCuda;
  ProviderOptions options;
};

// The names and parameters of Triton's backend (contracts, Triton 3.3). A value type.
struct Accelerators {
  // cpu_execution_accelerator "openvino": its parameters as they are.
  std::optional<ProviderOptions> openvino;
  // gpu_execution_accelerator, in order of preference; the last is always CUDA, which runs what the
  // others do not take. Only for instances of KIND_GPU.
  std::vector<GpuProvider> gpu;

  // INVALID_ARG "unknown Execution Accelerator 'x' is requested"; INVALID_ARG for a parameter that
  // the accelerator does not have, or a value that it does not take; UNSUPPORTED for a GPU's
  // accelerator where no instance group is of KIND_GPU.
  static Error Read(const ModelConfig& config, Accelerators* accelerators);
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_ACCELERATORS_H_
