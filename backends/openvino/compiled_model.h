// A model that OpenVINO has read and compiled.
#ifndef HEADRACE_BACKENDS_OPENVINO_COMPILED_MODEL_H_
#define HEADRACE_BACKENDS_OPENVINO_COMPILED_MODEL_H_

#include <memory>
#include <openvino/runtime/core.hpp>
#include <string>

#include "common/error.h"
#include "common/model_config.h"
#include "common/model_tensors.h"
#include "openvino/settings.h"

namespace headrace::backend {

TRITONSERVER_DataType DataTypeFromOpenVino(const ov::element::Type& type);

// The process's one runtime.
ov::Core& SharedCore();

// Shared by all instances of a model: weights exist once. Immutable after Load; infer requests are
// made from it by any thread.
class CompiledModel {
 public:
  // Reads IR, ONNX, TensorFlow (SavedModel directory, frozen graph) or TensorFlow Lite, by what the
  // file is. Blocks. INTERNAL with the runtime's text when it cannot; exceptions do not leave.
  static Error Load(const std::string& path, const ModelConfig& config,
                    std::shared_ptr<CompiledModel>* model);

  // Tensors have the names that the configuration uses where a tensor has several. Indices are the
  // runtime's.
  const ModelTensors& tensors() const { return tensors_; }
  ov::CompiledModel& compiled() { return compiled_; }

 private:
  ModelTensors tensors_;
  ov::CompiledModel compiled_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_COMPILED_MODEL_H_
