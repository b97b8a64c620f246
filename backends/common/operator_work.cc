#include "common/operator_work.h"

#include <algorithm>

namespace headrace::backend {
namespace {

constexpr std::uint64_t kOfAProductAndASum = 2;

}  // namespace

std::uint64_t ProductOrUnknown(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? 0 : product;
}

std::uint64_t ElementCount(std::span<const std::int64_t> dims) {
  std::uint64_t count = 1;
  for (const std::int64_t dim : dims) {
    count = dim < 0 ? 0 : ProductOrUnknown(count, static_cast<std::uint64_t>(dim));
  }
  return count;
}

std::uint64_t ByteSizeOf(const OperatorTensor& tensor) {
  return ProductOrUnknown(ElementCount(tensor.dims), tensor.element_byte_size);
}

std::uint64_t SumOrUnknown(std::span<const std::uint64_t> parts) {
  std::uint64_t sum = 0;
  for (const std::uint64_t part : parts) {
    if (part == 0 || __builtin_add_overflow(sum, part, &sum)) {
      return 0;
    }
  }
  return sum;
}

std::uint64_t ByteSizeOf(std::span<const OperatorTensor> tensors) {
  std::vector<std::uint64_t> parts;
  for (const OperatorTensor& tensor : tensors) {
    parts.push_back(ByteSizeOf(tensor));
  }
  return SumOrUnknown(parts);
}

std::uint64_t ConvolutionFlops(std::uint64_t output_elements, std::span<const std::int64_t> weights,
                               std::size_t outer_dims) {
  if (weights.size() <= outer_dims) {
    return 0;
  }
  const std::uint64_t products = ElementCount(weights.subspan(outer_dims));
  return ProductOrUnknown(kOfAProductAndASum, ProductOrUnknown(output_elements, products));
}

std::uint64_t TransposedConvolutionFlops(std::uint64_t input_elements,
                                         std::span<const std::int64_t> weights) {
  return ConvolutionFlops(input_elements, weights);
}

std::uint64_t MatrixProductFlops(std::uint64_t output_elements, std::int64_t inner) {
  return inner <= 0 ? 0
                    : ProductOrUnknown(
                          kOfAProductAndASum,
                          ProductOrUnknown(output_elements, static_cast<std::uint64_t>(inner)));
}

std::int64_t InnerDimension(std::span<const std::int64_t> left,
                            std::span<const std::int64_t> output) {
  constexpr std::size_t kMatrixDims = 2;
  const std::size_t rank = left.size();
  if (rank < kMatrixDims || rank != output.size() ||
      !std::equal(left.begin(), left.end() - kMatrixDims, output.begin())) {
    return 0;
  }
  const std::int64_t rows = output[rank - 2];
  if (rows <= 0) {
    return 0;
  }
  // Where it is not transposed the rows are in front; a square matrix is the same either way.
  return left[rank - 2] == rows ? left[rank - 1] : left[rank - 1] == rows ? left[rank - 2] : 0;
}

}  // namespace headrace::backend
