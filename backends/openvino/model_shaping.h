// The shapes that a model is compiled for.
#ifndef HEADRACE_BACKENDS_OPENVINO_MODEL_SHAPING_H_
#define HEADRACE_BACKENDS_OPENVINO_MODEL_SHAPING_H_

#include <cstdint>
#include <openvino/core/model.hpp>

#include "common/error.h"
#include "common/model_config.h"
#include "openvino/settings.h"

namespace headrace::backend {

// Gives the inputs of `model` the batch dimension that the configuration asks for, and with
// RESHAPE_IO_LAYERS its dims. The outputs follow, or the model cannot batch.
//
// Writes `fixed_batch`: the rows that every execution must have, or 0 if it may have any number. A
// first dimension of 1 or of max_batch_size is made variable unless SKIP_OV_DYNAMIC_BATCHSIZE is
// set; then it is made max_batch_size. A configuration without tensors and without a batch size is
// shaped only where the model's layouts say that every first dimension is a batch. May throw
// ov::Exception.
Error ShapeModel(const ModelConfig& config, const OpenVinoSettings& settings, ov::Model& model,
                 std::int64_t* fixed_batch);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_MODEL_SHAPING_H_
