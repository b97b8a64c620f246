// A model that OpenVINO has read and compiled.
#ifndef HEADRACE_BACKENDS_OPENVINO_COMPILED_MODEL_H_
#define HEADRACE_BACKENDS_OPENVINO_COMPILED_MODEL_H_

#include <cstdint>
#include <memory>
#include <openvino/runtime/core.hpp>
#include <string>

#include "common/error.h"
#include "common/model_config.h"
#include "common/model_tensors.h"
#include "openvino/model_file_check.h"
#include "openvino/model_probe.h"
#include "openvino/settings.h"

namespace headrace::backend {

TRITONSERVER_DataType DataTypeFromOpenVino(const ov::element::Type& type);

// The process's one runtime. It reads files into memory and maps none: a file that is truncated
// while it is mapped ends the process.
ov::Core& SharedCore();

// Shared by all instances of a model: weights exist once. Immutable after Load; infer requests are
// made from it by any thread.
class CompiledModel {
 public:
  // Reads IR, ONNX, TensorFlow (SavedModel directory, frozen graph) or TensorFlow Lite, by what the
  // file is, after `probe` has seen that it can be read. Blocks. INVALID_ARG for a file that is no
  // such model, INTERNAL with the runtime's text when it cannot be compiled; exceptions do not
  // leave.
  //
  // `bound_threads`: 0, or how many threads the instances have together, which the server binds to
  // cores. The runtime then binds none itself, which would undo that; a thread that infers does so
  // on its own cores, while those that help it, with more than one thread for an instance, are the
  // runtime's and may be anywhere. `counts_nodes`: the runtime measures each node, for a profile.
  static Error Load(const ModelSource& source, const ModelConfig& config, const ModelProbe& probe,
                    std::int64_t bound_threads, std::shared_ptr<CompiledModel>* model,
                    bool counts_nodes = false);

  // Tensors have the names that the configuration uses where a tensor has several; those of a
  // frozen graph are called as their operations are, without ":0". Indices are the runtime's. The
  // batch is -1 also where it is fixed.
  const ModelTensors& tensors() const { return tensors_; }
  ov::CompiledModel& compiled() { return compiled_; }
  // Rows that every execution must have; 0 = any number.
  std::int64_t fixed_batch() const { return fixed_batch_; }
  // Whether smaller batches are padded to it, and not refused.
  bool pads_batches() const { return pads_batches_; }

 private:
  Error Compile(const ModelSource& source, const ModelConfig& config, std::int64_t bound_threads,
                bool counts_nodes);
  // Requests see a fixed batch as they see a variable one.
  void LeaveBatchOpen();

  ModelTensors tensors_;
  ov::CompiledModel compiled_;
  std::int64_t fixed_batch_ = 0;
  bool pads_batches_ = false;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_COMPILED_MODEL_H_
