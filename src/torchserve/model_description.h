// What a model says of itself to OPTIONS on a prediction route (contracts, TorchServe 1.2).
#ifndef HEADRACE_TORCHSERVE_MODEL_DESCRIPTION_H_
#define HEADRACE_TORCHSERVE_MODEL_DESCRIPTION_H_

#include <string_view>

#include "torchserve/api_route.h"

namespace headrace::torchserve {

// Answers with the model's OpenAPI document, or 404 as a prediction would be.
void ReplyModelDescription(ApiCall& call, std::string_view model, std::string_view version);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_MODEL_DESCRIPTION_H_
