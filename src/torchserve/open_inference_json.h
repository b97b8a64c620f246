// Between the messages of the Open Inference Protocol and the JSON that TorchServe's handlers get
// and give in their place (contracts, TorchServe 4.4). Pure.
#ifndef HEADRACE_TORCHSERVE_OPEN_INFERENCE_JSON_H_
#define HEADRACE_TORCHSERVE_OPEN_INFERENCE_JSON_H_

#include <string>
#include <string_view>

#include "base/result.h"
#include "torchserve/grpc_messages.h"

namespace headrace::torchserve {

namespace open_inference = org::pytorch::serve::grpc::openinference;

// {"id", "model_name", "inputs": [{"name", "shape", "datatype", "data"}]}; BYTES are base64.
// Tensors whose contents are raw are decoded (TorchServe ignores them). INVALID_ARGUMENT names the
// input at fault.
Result<std::string> OpenInferenceJson(const open_inference::ModelInferRequest& request);

// What a handler with the envelope kservev2 answers. INTERNAL for anything else.
Result<open_inference::ModelInferResponse> ParseOpenInferenceJson(std::string_view json);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_OPEN_INFERENCE_JSON_H_
