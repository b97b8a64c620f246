// What a model file says about its inputs and outputs.
#ifndef HEADRACE_BACKENDS_COMMON_MODEL_TENSORS_H_
#define HEADRACE_BACKENDS_COMMON_MODEL_TENSORS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "triton_abi.h"

namespace headrace::backend {

struct TensorInfo {
  std::string name;
  TRITONSERVER_DataType dtype =
      TRITONSERVER_TYPE_INVALID;    // INVALID: a type that the protocol lacks
  std::vector<std::int64_t> shape;  // with the batch dimension, if the model has one; -1 = any
  // Inputs: the model has a value for it. Configurations need not name it; if one does, requests
  // may give it another value.
  bool has_default = false;
};

struct ModelTensors {
  std::vector<TensorInfo> inputs;   // in the order of the runtime's indices
  std::vector<TensorInfo> outputs;  // likewise

  const TensorInfo* FindInput(std::string_view name) const;
  const TensorInfo* FindOutput(std::string_view name) const;
  // Every input that has no default, and every output, has a first dimension of any extent.
  bool CanBatch() const;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_MODEL_TENSORS_H_
