// What an operator computes and moves, worked out of the shapes of its tensors. Pure. Everywhere
// here 0 means "not known".
#ifndef HEADRACE_BACKENDS_COMMON_OPERATOR_WORK_H_
#define HEADRACE_BACKENDS_COMMON_OPERATOR_WORK_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace headrace::backend {

struct OperatorTensor {
  std::vector<std::int64_t> dims{};
  std::uint64_t element_byte_size = 0;
};

struct OperatorWork {
  std::uint64_t flops = 0;            // a multiplication and an addition are two
  std::uint64_t moved_byte_size = 0;  // of inputs and outputs, each once: what must be moved
};

// 0 also for dimensions below 0, and where the number does not fit.
std::uint64_t ElementCount(std::span<const std::int64_t> dims);
std::uint64_t ByteSizeOf(const OperatorTensor& tensor);
// 0 if one of them is not known.
std::uint64_t SumOrUnknown(std::span<const std::uint64_t> parts);
std::uint64_t ByteSizeOf(std::span<const OperatorTensor> tensors);
// 0 if one of them is not known, and where the product does not fit.
std::uint64_t ProductOrUnknown(std::uint64_t a, std::uint64_t b);

// Each element of the output sums up products over the dimensions of the weights behind the first
// `outer_dims`: [outputs, inputs / groups, height, width] has one in front of them, a layout with
// the groups in a dimension of their own two.
std::uint64_t ConvolutionFlops(std::uint64_t output_elements, std::span<const std::int64_t> weights,
                               std::size_t outer_dims = 1);
// Weights [inputs, outputs / groups, height, width]: each element of the input is multiplied with
// all of its row.
std::uint64_t TransposedConvolutionFlops(std::uint64_t input_elements,
                                         std::span<const std::int64_t> weights);
// Matrix products: `inner` is the dimension that is summed over.
std::uint64_t MatrixProductFlops(std::uint64_t output_elements, std::int64_t inner);
// That dimension, of a product in which either matrix may be transposed. `left` and `output` have
// the same dimensions but for the last two, or it is not known.
std::int64_t InnerDimension(std::span<const std::int64_t> left,
                            std::span<const std::int64_t> output);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_OPERATOR_WORK_H_
