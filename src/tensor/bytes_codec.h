// The wire form of BYTES tensors: a 4-byte little-endian length and the bytes, element after
// element.
#ifndef HEADRACE_TENSOR_BYTES_CODEC_H_
#define HEADRACE_TENSOR_BYTES_CODEC_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace headrace {

// Appends one element. Requires element.size() <= UINT32_MAX.
void AppendBytesElement(std::string& out, std::string_view element);

// Checks that `tensor`'s bytes are exactly `element_count` well-formed elements; `name` and `model`
// go into the message. INVALID_ARGUMENT with Triton's texts (contracts, Triton 1.14: "incomplete
// string length indicator for inference input
// ...", "unexpected number of string elements ...", "expected N string elements ..."). Linear, no
// allocation.
Status ValidateBytesTensor(const Tensor& tensor, std::int64_t element_count, std::string_view name,
                           std::string_view model);

// Views into `bytes`, which must be well-formed (one contiguous fragment); INVALID_ARGUMENT
// otherwise.
Result<std::vector<std::string_view>> SplitBytesElements(std::string_view bytes);

}  // namespace headrace

#endif  // HEADRACE_TENSOR_BYTES_CODEC_H_
