// The raw binary request: a body that is nothing but the model's one input (contracts, Triton 1.7).
#ifndef HEADRACE_FRONTEND_RAW_BINARY_H_
#define HEADRACE_FRONTEND_RAW_BINARY_H_

#include <string_view>

#include "base/result.h"
#include "engine/signature.h"
#include "tensor/block_pool.h"
#include "tensor/buffer.h"
#include "tensor/tensor.h"

namespace headrace::frontend {

// The tensor that `body` is: shape from the signature, with its one -1 (if any) deduced from the
// size, and batch size 1. A BYTES input has one element: the body, whose length is put in front (in
// new memory). INVALID_ARGUMENT when the model's signature or the size does not allow it.
Result<NamedTensor> TensorOfRawBody(const engine::ModelSignature& signature,
                                    std::string_view model_name, const Buffer& body,
                                    BlockPool& pool);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_RAW_BINARY_H_
