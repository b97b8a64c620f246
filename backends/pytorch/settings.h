// What a model configuration asks of PyTorch.
#ifndef HEADRACE_BACKENDS_PYTORCH_SETTINGS_H_
#define HEADRACE_BACKENDS_PYTORCH_SETTINGS_H_

#include <optional>

#include "common/error.h"
#include "common/model_config.h"

namespace headrace::backend {

// What the instances of a TorchScript model on one device have in common. The weights of a compiled
// package are always there once.
enum class WeightSharing {
  kParameters,  // parameters; buffers are each instance's own, so that a model that counts in one
                // works
  kEverything,  // ENABLE_WEIGHT_SHARING true: buffers too
  kNothing,     // ENABLE_WEIGHT_SHARING false
};

// Parameters, with the names of Triton's backend (contracts, Triton 3.3). Those that PyTorch keeps
// once for the whole process are marked; the model that is loaded last decides them.
struct PyTorchSettings {
  bool inference_mode = true;           // INFERENCE_MODE; false: only without gradients
  bool optimized_execution = true;      // DISABLE_OPTIMIZED_EXECUTION
  bool clean_cache = false;             // ENABLE_CACHE_CLEANING: after each batch, on a GPU
  bool optimize_for_inference = false;  // OPTIMIZE_FOR_INFERENCE, ours: freeze and fold at load
  bool detections = false;              // DETECTIONS, ours: see detection_call.h
  WeightSharing weight_sharing = WeightSharing::kParameters;
  // Threads of one operation in one instance: INTRA_OP_THREAD_COUNT or NUM_THREADS. The default
  // divides the cores among the model's instances on the CPU.
  int intra_op_threads = 1;
  bool default_threads = true;  // nobody asked for a number of them
  // Of the process:
  std::optional<int> inter_op_threads;  // INTER_OP_THREAD_COUNT or NUM_INTEROP_THREADS
  std::optional<bool> cudnn;            // DISABLE_CUDNN
  std::optional<bool> jit_executor;     // ENABLE_JIT_EXECUTOR
  std::optional<bool> jit_profiling;    // ENABLE_JIT_PROFILING
  std::optional<bool> tensor_fuser;     // ENABLE_TENSOR_FUSER
  // Not a parameter: the instances that the configuration asks for, on the CPU and on each GPU.
  int cpu_instances = 1;
  int instances_per_gpu = 1;

  // INVALID_ARG names the parameter that does not read. `core_count`: of the machine. Warns of
  // parameters that it does not know.
  static Error Read(const ModelConfig& config, int core_count, PyTorchSettings* settings);

  // Of an instance that should use so many threads, unless the configuration says how many; 0: no
  // opinion.
  PyTorchSettings WithThreads(int thread_count) const;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_SETTINGS_H_
