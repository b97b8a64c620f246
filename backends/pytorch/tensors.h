// Tensors of the protocol as tensors of PyTorch, and back.
#ifndef HEADRACE_BACKENDS_PYTORCH_TENSORS_H_
#define HEADRACE_BACKENDS_PYTORCH_TENSORS_H_

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

// INVALID for what the protocol has no name for (complex, quantised, 8-bit floats).
TRITONSERVER_DataType DataTypeFromTorch(at::ScalarType type);
// Nothing for BYTES and INVALID.
std::optional<at::ScalarType> TorchFromDataType(TRITONSERVER_DataType dtype);

// A tensor over memory that is not its own, on `device`. Operators do not write into their inputs
// unless the model says so.
at::Tensor TensorOver(const void* data, std::span<const std::int64_t> shape, at::ScalarType type,
                      c10::Device device);

// Runs `body`, which returns an Error; PyTorch's exceptions become INTERNAL "<what>: <text>"
// without the stacks of C++ and TorchScript, which go to the log.
Error GuardedTorch(const char* what, const std::function<Error()>& body);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_TENSORS_H_
