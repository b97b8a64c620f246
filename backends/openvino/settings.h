// What a model configuration asks of OpenVINO.
#ifndef HEADRACE_BACKENDS_OPENVINO_SETTINGS_H_
#define HEADRACE_BACKENDS_OPENVINO_SETTINGS_H_

#include <cstdint>
#include <openvino/runtime/core.hpp>
#include <string>

#include "common/error.h"
#include "common/model_config.h"

namespace headrace::backend {

// Parameters, with the names of Triton's backend (contracts, Triton 3.3): TARGET_DEVICE,
// PERFORMANCE_HINT, CPU_EXTENSION_PATH, INFERENCE_NUM_THREADS, COMPILATION_NUM_THREADS,
// NUM_STREAMS, HINT_BF16, SKIP_OV_DYNAMIC_BATCHSIZE, RESHAPE_IO_LAYERS, and of ours:
// inference_precision (f32, f16, bf16), MODEL_CACHE_DIR. The accelerator auto_mixed_precision means
// bf16. Any other parameter whose name is a property of the device goes to it as it is. Precision
// is f32 unless asked otherwise: the runtime's own choice may be bf16, which changes answers.
struct OpenVinoSettings {
  std::string device = "CPU";
  std::string extension_path;  // a library of custom operations
  bool dynamic_batch = true;   // a first dimension of 1 may be made variable
  ov::AnyMap properties;       // for compile_model

  // INVALID_ARG or UNSUPPORTED names the parameter and what it takes. May throw ov::Exception.
  static Error Read(ov::Core& core, const ModelConfig& config, OpenVinoSettings* settings);
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_SETTINGS_H_
