// Tensors that a backend makes for a batch, and parts that it cuts from one: what `batch_input` and
// `batch_output` of a configuration ask for (contracts, Triton 3.2).
#ifndef HEADRACE_BACKENDS_COMMON_BATCH_TENSORS_H_
#define HEADRACE_BACKENDS_COMMON_BATCH_TENSORS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/error.h"
#include "common/model_config.h"
#include "triton_abi.h"

namespace headrace::backend {

using ShapeView = std::span<const std::int64_t>;

// The elements of a shape; 1 for the empty one. INVALID_ARG if they cannot be counted.
Error CountElements(ShapeView shape, std::int64_t* count);

// Reused from batch to batch.
struct BatchInputTensor {
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
};

// Makes a batch input from the shapes that its source input has in the requests of the batch, in
// order, each with its batch dimension. For sources of 3, 4 and 5 elements:
//
//   kElementCount                     [3, 4, 5]
//   kAccumulatedElementCount          [3, 7, 12]
//   kAccumulatedElementCountWithZero  [0, 3, 7, 12]
//   kMaxElementCountAsShape           a tensor of shape [5], of zeros
//   kItemShape                        one row per batch item: its shape without the batch dimension
//   kItemShapeFlatten                 the same rows in one dimension
//
// `dtype` is INT32 or FP32. INVALID_ARG if a value does not fit INT32.
Error MakeBatchInput(BatchInputConfig::Kind kind, TRITONSERVER_DataType dtype,
                     std::span<const ShapeView> source_shapes, BatchInputTensor* tensor);

// The shape of a batch output's part that belongs to a request: `dims` (without the batch
// dimension, -1 = variable) behind the request's rows, where the variable ones are those of the
// source input at the same place. INVALID_ARG if the source has no such place.
Error ScatteredShape(ShapeView dims, ShapeView source_shape, std::vector<std::int64_t>* shape);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_BATCH_TENSORS_H_
