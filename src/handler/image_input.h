// From a request to the tensor that vision models take.
#ifndef HEADRACE_HANDLER_IMAGE_INPUT_H_
#define HEADRACE_HANDLER_IMAGE_INPUT_H_

#include "base/result.h"
#include "handler/native_handler.h"
#include "handler/request_content.h"
#include "tensor/tensor.h"

namespace headrace::handler {

// An encoded image (bytes, or base64 in text) as torchvision's Resize(256), CenterCrop(224),
// ToTensor and Normalize of ImageNet have it: FP32 [1, 3, 224, 224]; or a list of numbers as it is.
// INVALID_ARGUMENT for what is neither. Thread-safe.
Result<Tensor> ClassifierInput(const RequestContent& content, const Workshop& shop);

// The same as torchvision's ToTensor alone has it: FP32 [1, 3, height, width]. RESOURCE_EXHAUSTED
// where there is no memory for it.
Result<Tensor> DetectorInput(const RequestContent& content, const Workshop& shop);

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_IMAGE_INPUT_H_
