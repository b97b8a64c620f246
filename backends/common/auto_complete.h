// The model configuration against the model file: completed where inputs or outputs are missing,
// checked where they are given.
#ifndef HEADRACE_BACKENDS_COMMON_AUTO_COMPLETE_H_
#define HEADRACE_BACKENDS_COMMON_AUTO_COMPLETE_H_

#include <cstdint>
#include <string>

#include "common/error.h"
#include "common/model_config.h"
#include "common/model_tensors.h"

namespace headrace::backend {

// Fills empty `input` and `output` from the model (contracts, Triton 3.5): a model whose tensors
// all have a variable first dimension batches, by `default_max_batch_size` if the configuration
// names none. Sets `changed`, and `add_dynamic_batching` where batching is worth while. INVALID_ARG
// "autofill failed for model ..." where a batch size is asked of a model that cannot batch.
Error CompleteConfig(const std::string& model_name, const ModelTensors& tensors,
                     std::int64_t default_max_batch_size, ModelConfig* config, bool* changed,
                     bool* add_dynamic_batching);

// Every configured tensor exists in the model with that datatype and a shape that fits, every input
// of the model is configured. INVALID_ARG with Triton's texts (contracts, Triton 3.5, 3.6).
Error CheckConfig(const std::string& model_name, const ModelTensors& tensors,
                  const ModelConfig& config);

// What a model does once its file is loaded: completes the configuration if the server asks for
// that, proposes it and reads what came of it, and checks it against the file. Only while
// ModelInitialize runs.
Error SettleConfig(TRITONBACKEND_Model* model, const ModelTensors& tensors, ModelConfig* config);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_AUTO_COMPLETE_H_
