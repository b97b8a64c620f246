// The model configuration as a backend reads it, and as it proposes it when the server asks it to
// complete one.
#ifndef HEADRACE_BACKENDS_COMMON_MODEL_CONFIG_H_
#define HEADRACE_BACKENDS_COMMON_MODEL_CONFIG_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "common/sequence_config.h"
#include "triton_abi.h"

namespace headrace::backend {

struct TensorConfig {
  std::string name;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  std::vector<std::int64_t> dims;  // without the batch dimension; -1 = any extent
  std::optional<std::vector<std::int64_t>> reshape;
  bool optional = false;            // inputs
  bool allow_ragged_batch = false;  // inputs
  std::string label_filename;       // outputs

  bool of_batch = false;  // the target of a batch input: dims are all that it has

  // What the backend sees: the reshape, or else the dims.
  const std::vector<std::int64_t>& backend_dims() const { return reshape ? *reshape : dims; }
  // What a call of the model is given: a ragged input in one dimension, and others behind the batch
  // dimension where the model batches.
  std::vector<std::int64_t> CallShape(bool batches) const;
};

// One entry of batch_input: tensors that the backend makes for each batch (batch_tensors.h).
struct BatchInputConfig {
  enum class Kind : std::uint8_t {
    kElementCount,
    kAccumulatedElementCount,
    kAccumulatedElementCountWithZero,
    kMaxElementCountAsShape,
    kItemShape,
    kItemShapeFlatten,
  };
  Kind kind = Kind::kElementCount;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  std::vector<std::string> targets;  // inputs of the model, which no request gives
  std::string source;                // the input that it is made from
};

// One entry of batch_output: outputs that come flat and are cut as the source input is shaped.
struct BatchOutputConfig {
  std::vector<std::string> targets;
  std::string source;
};

// One entry of optimization.execution_accelerators.
struct AcceleratorConfig {
  std::string name;
  std::map<std::string, std::string, std::less<>> parameters;
};

struct InstanceGroupConfig {
  std::string kind;  // "KIND_CPU"
  std::int64_t count = 1;
  std::vector<std::int64_t> gpus;  // of KIND_GPU
};

// "TYPE_FP32" <-> TRITONSERVER_TYPE_FP32. INVALID for what is no name; BYTES is called
// "TYPE_STRING".
TRITONSERVER_DataType DataTypeFromConfigName(std::string_view name);
std::string ConfigNameOf(TRITONSERVER_DataType dtype);

// A value type; not thread-safe while it is changed.
class ModelConfig {
 public:
  // Asks the server. Fails with the field's name where one has the wrong type.
  static Error Read(TRITONBACKEND_Model* model, ModelConfig* config);
  static Error Parse(std::string_view json, ModelConfig* config);

  const std::string& json() const { return json_; }

  std::int64_t max_batch_size = 0;
  std::vector<TensorConfig> inputs;
  std::vector<TensorConfig> outputs;
  std::vector<BatchInputConfig> batch_inputs;
  std::vector<BatchOutputConfig> batch_outputs;
  SequenceConfig sequence;  // tensors beside `inputs` and `outputs`
  bool has_scheduling =
      false;  // dynamic_batching, sequence_batching or ensemble_scheduling is there
  std::string default_model_filename;
  std::vector<AcceleratorConfig> cpu_accelerators;
  std::vector<AcceleratorConfig> gpu_accelerators;
  std::vector<InstanceGroupConfig> instance_groups;
  std::vector<std::string> op_libraries;  // model_operations.op_library_filename

  // Instances of all groups, or of those of one kind; at least 1 of all.
  std::int64_t InstanceCount() const;
  std::int64_t InstanceCount(std::string_view kind) const;

  const TensorConfig* FindInput(std::string_view name) const;
  const TensorConfig* FindOutput(std::string_view name) const;
  // The entry that has the tensor as a target; null if there is none.
  const BatchInputConfig* FindBatchInput(std::string_view target) const;
  const BatchOutputConfig* FindBatchOutput(std::string_view target) const;
  // What a call of the model is given: the inputs, then the targets of the batch inputs.
  std::vector<TensorConfig> CallInputs() const;

  // parameters { key value { string_value } }; null if there is none.
  const std::string* FindParameter(std::string_view key) const;
  // Calls visit(key, value) for each parameter, in the order of keys.
  template <typename Visit>
  void ForEachParameter(Visit visit) const {
    for (const auto& [key, value] : parameters_) {
      visit(key, value);
    }
  }
  // Leaves `value` alone if the parameter is not there; INVALID_ARG names the key if it does not
  // read as the type.
  Error GetParameter(std::string_view key, std::int64_t* value) const;
  Error GetParameter(std::string_view key, double* value) const;
  Error GetParameter(std::string_view key, bool* value) const;  // true, false, 1, 0
  Error GetParameter(std::string_view key, std::string* value) const;

  // The same configuration with other parameters.
  ModelConfig WithParameters(std::map<std::string, std::string, std::less<>> parameters) const;

  // The scalar at a JSON pointer such as "/optimization/graph/level", as text; nothing if it is not
  // there.
  std::optional<std::string> Text(std::string_view pointer) const;

  // The configuration with max_batch_size, input and output as they are now, everything else as it
  // was read. With `add_dynamic_batching`, an empty dynamic_batching is added where no scheduling
  // is chosen.
  std::string ToJson(bool add_dynamic_batching = false) const;
  // Hands ToJson to the server; only while ModelInitialize runs.
  Error Propose(TRITONBACKEND_Model* model, bool add_dynamic_batching = false) const;

 private:
  std::string json_;
  std::map<std::string, std::string, std::less<>> parameters_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_MODEL_CONFIG_H_
