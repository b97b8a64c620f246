#include "pytorch/call_tensors.h"

namespace headrace::backend {
namespace {

TensorConfig AsTensor(const SequenceTensor& tensor) {
  TensorConfig config;
  config.name = tensor.name;
  config.dtype = tensor.dtype;
  config.dims = tensor.dims;
  return config;
}

}  // namespace

Error CallTensors::InputsOf(const ModelConfig& config, CallTensors* tensors) {
  tensors->plain = config.CallInputs();
  tensors->sequence.clear();
  for (const SequenceTensor& input : config.sequence.inputs) {
    tensors->sequence.push_back(AsTensor(input));
  }
  for (const SequenceTensor& state : config.sequence.state_outputs) {
    if (state.dtype == TRITONSERVER_TYPE_BYTES) {
      return InvalidArgument(
          "state '{}' has data_type TYPE_STRING; states of strings are not kept, numbers are",
          state.name);
    }
  }
  return {};
}

CallTensors CallTensors::OutputsOf(const ModelConfig& config) {
  CallTensors tensors{.plain = config.outputs, .sequence = {}};
  for (const SequenceTensor& state : config.sequence.state_outputs) {
    if (config.FindOutput(state.name) == nullptr) {
      tensors.sequence.push_back(AsTensor(state));
    }
  }
  return tensors;
}

std::vector<TensorConfig> CallTensors::All() const {
  std::vector<TensorConfig> all = plain;
  all.insert(all.end(), sequence.begin(), sequence.end());
  return all;
}

}  // namespace headrace::backend
