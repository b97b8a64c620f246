// The classification extension: the best classes in place of a score tensor (contracts,
// Triton 1.9).
#ifndef HEADRACE_PROTOCOL_CLASSIFICATION_H_
#define HEADRACE_PROTOCOL_CLASSIFICATION_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tensor/tensor.h"

namespace headrace::protocol {

// A BYTES tensor of shape [batch]? + [min(count, classes)] with elements "value:index" or
// "value:index:label", best first; ties keep the lower index. `batched`: the first dimension is the
// batch. UNIMPLEMENTED/INVALID_ARGUMENT for FP16, BF16, BYTES, BOOL, as Triton words it; more than
// 1,000,000 result elements are refused. Cost O(classes) per batch item plus the sort of `count`.
Result<Tensor> Classify(const Tensor& scores, std::uint64_t count, bool batched,
                        std::span<const std::string> labels, std::string_view output_name);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_CLASSIFICATION_H_
