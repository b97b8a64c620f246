// Reads the JSON bodies of the model repository endpoints (contracts, Triton 1.11).
#ifndef HEADRACE_FRONTEND_REPOSITORY_REQUEST_H_
#define HEADRACE_FRONTEND_REPOSITORY_REQUEST_H_

#include <string_view>

#include "base/result.h"
#include "repository/model_manager.h"
#include "tensor/buffer.h"

namespace headrace::frontend {

// For all: `body` is followed by BlockPool::kPadding readable bytes; an empty one means an empty
// object. Malformed JSON, nesting deeper than 64, wrong member types and repeated keys are
// INVALID_ARGUMENT. Members that the contract does not name are ignored, parameters are not.

// `{"ready": bool}`: whether only READY versions are listed.
Result<bool> ParseIndexRequest(const Buffer& body);

// `{"parameters": {"config": "<JSON text>", "file:<path>": "<base64>"}}`.
Result<repository::LoadOverride> ParseLoadRequest(const Buffer& body);

// `{"parameters": {"unload_dependents": bool}}`.
Result<bool> ParseUnloadRequest(const Buffer& body);

// A model name that may be asked for by load and unload: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
// without ".." (reliability D6). INVALID_ARGUMENT else.
Status CheckModelName(std::string_view name);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_REPOSITORY_REQUEST_H_
