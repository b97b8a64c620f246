// Checks a request against a model's signature, the same for every protocol.
#ifndef HEADRACE_ENGINE_VALIDATE_H_
#define HEADRACE_ENGINE_VALIDATE_H_

#include "base/status.h"
#include "engine/request.h"
#include "engine/signature.h"

namespace headrace::engine {

// INVALID_ARGUMENT with the texts of contracts, Triton 1.14, prefixed "[request id: ID] ". On
// success sets batch_size, byte_size and shape_key (two requests have equal keys exactly when they
// may share a batch: same set of inputs, and equal shapes without the batch dimension for every
// input that is variable and not ragged). Duplicate inputs or outputs are refused. Linear in the
// request.
Status ValidateRequest(const ModelSignature& signature, const std::string& model_name,
                       InferRequest& request);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_VALIDATE_H_
