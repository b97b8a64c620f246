// The tensors that the server adds to each request of a sequence, and those that it keeps.
#ifndef HEADRACE_BACKENDS_COMMON_SEQUENCE_CONFIG_H_
#define HEADRACE_BACKENDS_COMMON_SEQUENCE_CONFIG_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

// One tensor of `sequence_batching`, without the batch dimension.
struct SequenceTensor {
  std::string name;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  std::vector<std::int64_t> dims;  // -1 = any extent
};

// Empty for a model that batches no sequences.
struct SequenceConfig {
  std::vector<SequenceTensor> inputs;         // controls, then states
  std::vector<SequenceTensor> state_outputs;  // written by TRITONBACKEND_State*

  // From the model configuration as JSON.
  static Error Parse(std::string_view json, SequenceConfig* config);

  bool HasInput(std::string_view name) const;
  bool HasStateOutput(std::string_view name) const;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_SEQUENCE_CONFIG_H_
