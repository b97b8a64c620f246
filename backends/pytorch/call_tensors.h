// The tensors of a model's call: those that clients see, and those that a sequence adds.
#ifndef HEADRACE_BACKENDS_PYTORCH_CALL_TENSORS_H_
#define HEADRACE_BACKENDS_PYTORCH_CALL_TENSORS_H_

#include <vector>

#include "common/error.h"
#include "common/model_config.h"
#include "pytorch/tensor_naming.h"

namespace headrace::backend {

// One side of a call. Indices of ModelTensors run through `plain`, then `sequence`.
struct CallTensors {
  std::vector<TensorConfig> plain;     // input and batch_input, or output
  std::vector<TensorConfig> sequence;  // controls and states, or states that are no outputs

  // INVALID_ARG for a state of strings, which the backend cannot keep.
  static Error InputsOf(const ModelConfig& config, CallTensors* tensors);
  static CallTensors OutputsOf(const ModelConfig& config);

  std::vector<TensorConfig> All() const;
  // The place of each, by the rules of tensor_naming.h.
  Error Assign(const CallPlaces& call, std::vector<std::size_t>* places) const {
    return AssignPlaces(call, plain, sequence, places);
  }
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_CALL_TENSORS_H_
