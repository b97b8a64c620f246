// What a model configuration asks of OpenVINO.
#ifndef HEADRACE_BACKENDS_OPENVINO_SETTINGS_H_
#define HEADRACE_BACKENDS_OPENVINO_SETTINGS_H_

#include <cstdint>
#include <map>
#include <openvino/runtime/core.hpp>
#include <string>

#include "common/error.h"
#include "common/model_config.h"

namespace headrace::backend {

// Parameters, with the names and values of Triton's backend (contracts, Triton 3.3):
//
//   TARGET_DEVICE              CPU
//   CPU_EXTENSION_PATH         a library of custom operations
//   HINT_BF16                  YES: the same as inference_precision bf16
//   SKIP_OV_DYNAMIC_BATCHSIZE  YES: the model is made for batches of max_batch_size, and no others
//   ENABLE_BATCH_PADDING       YES: smaller batches are padded then, and not refused
//   RESHAPE_IO_LAYERS          YES: inputs get the dims of the configuration
//
// and of ours:
//
//   inference_precision        f32, f16 or bf16. f32 unless asked otherwise: the runtime's own
//                              choice may be bf16, which changes answers
//   MODEL_CACHE_DIR            a directory for compiled models; none by default
//
// The accelerator auto_mixed_precision means bf16. Every other parameter whose name is a property
// of the device (PERFORMANCE_HINT, NUM_STREAMS, INFERENCE_NUM_THREADS, ...) goes to it as it is;
// what is neither is warned about by name.
//
// There is one stream for each instance unless NUM_STREAMS or PERFORMANCE_HINT say otherwise; the
// runtime divides the threads (INFERENCE_NUM_THREADS, or all cores) among the streams.
struct OpenVinoSettings {
  std::string device = "CPU";
  std::string extension_path;
  bool variable_batch = true;
  bool pad_batches = false;
  bool reshape_to_config = false;
  ov::AnyMap properties;  // for compile_model

  // INVALID_ARG or UNSUPPORTED names the parameter and what it takes. May throw ov::Exception.
  static Error Read(ov::Core& core, const ModelConfig& config, OpenVinoSettings* settings);
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_SETTINGS_H_
