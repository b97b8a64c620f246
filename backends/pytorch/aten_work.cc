#include "pytorch/aten_work.h"

#include <algorithm>
#include <array>
#include <utility>

namespace headrace::backend {
namespace {

using Arguments = std::span<const AtenArgument>;
using Dims = std::vector<std::int64_t>;

constexpr std::string_view kConvolutions[] = {"aten::conv1d",       "aten::conv2d",
                                              "aten::conv3d",       "aten::convolution",
                                              "aten::_convolution", "aten::mkldnn_convolution"};
// The output is as large as the first input.
constexpr std::string_view kElementwise[] = {
    "aten::abs",
    "aten::batch_norm",
    "aten::clamp",
    "aten::clamp_",
    "aten::clamp_max",
    "aten::clamp_min",
    "aten::clamp_min_",
    "aten::elu",
    "aten::erf",
    "aten::exp",
    "aten::gelu",
    "aten::group_norm",
    "aten::hardsigmoid",
    "aten::hardswish",
    "aten::hardswish_",
    "aten::hardtanh",
    "aten::hardtanh_",
    "aten::layer_norm",
    "aten::leaky_relu",
    "aten::leaky_relu_",
    "aten::log",
    "aten::log_softmax",
    "aten::_log_softmax",
    "aten::native_batch_norm",
    "aten::native_layer_norm",
    "aten::neg",
    "aten::pow",
    "aten::relu",
    "aten::relu_",
    "aten::rsqrt",
    "aten::sigmoid",
    "aten::sigmoid_",
    "aten::silu",
    "aten::silu_",
    "aten::softmax",
    "aten::_softmax",
    "aten::sqrt",
    "aten::tanh",
    "aten::tanh_",
};
constexpr std::string_view kArithmetic[] = {"aten::add",  "aten::sub",  "aten::mul",  "aten::div",
                                            "aten::add_", "aten::sub_", "aten::mul_", "aten::div_"};
// What they write is less than what they read, and is not counted.
constexpr std::string_view kReductions[] = {
    "aten::adaptive_avg_pool2d", "aten::_adaptive_avg_pool2d",    "aten::amax", "aten::avg_pool2d",
    "aten::max_pool2d",          "aten::max_pool2d_with_indices", "aten::mean", "aten::sum"};

bool IsOneOf(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Of the memory below it: a dimension with stride 0 is the same elements again.
std::uint64_t MemoryOf(const AtenArgument& argument) {
  Dims dims = argument.tensor.dims;
  if (argument.strides.size() == dims.size()) {
    for (std::size_t i = 0; i < dims.size(); ++i) {
      dims[i] = argument.strides[i] == 0 ? std::min<std::int64_t>(dims[i], 1) : dims[i];
    }
  }
  return ByteSizeOf(OperatorTensor{std::move(dims), argument.tensor.element_byte_size});
}

// All tensors among the arguments, and an output of so many elements of the first one's type.
std::uint64_t Moved(Arguments arguments, std::uint64_t output_elements) {
  std::vector<std::uint64_t> parts;
  for (const AtenArgument& argument : arguments) {
    if (argument.tensor.element_byte_size > 0) {
      parts.push_back(MemoryOf(argument));
    }
  }
  parts.push_back(ProductOrUnknown(output_elements, arguments[0].tensor.element_byte_size));
  return SumOrUnknown(parts);
}

std::int64_t At(const Dims& list, std::size_t index) {
  return list.empty() ? 0 : list[std::min(index, list.size() - 1)];
}

// What the convolution is asked for, at the places that these operators have it.
struct ConvolutionShape {
  const Dims* stride;
  const Dims* padding;
  const Dims* dilation;
  bool transposed = false;
};

ConvolutionShape ShapeOfConvolution(std::string_view name, Arguments arguments) {
  if (name == "aten::mkldnn_convolution") {
    return {&arguments[4].integers, &arguments[3].integers, &arguments[5].integers};
  }
  const bool general = name == "aten::convolution" || name == "aten::_convolution";
  return {&arguments[3].integers, &arguments[4].integers, &arguments[5].integers,
          general && At(arguments[6].integers, 0) != 0};
}

OperatorWork WorkOfConvolution(std::string_view name, Arguments arguments) {
  constexpr std::size_t kArgumentsMin = 7;
  constexpr std::size_t kOuterDims = 2;
  if (arguments.size() < kArgumentsMin) {
    return {};
  }
  const Dims& input = arguments[0].tensor.dims;
  const Dims& weights = arguments[1].tensor.dims;
  const ConvolutionShape shape = ShapeOfConvolution(name, arguments);
  if (input.size() <= kOuterDims || input.size() != weights.size() || shape.stride->empty() ||
      shape.padding->empty() || shape.dilation->empty()) {
    return {};
  }
  if (shape.transposed) {
    return {.flops = TransposedConvolutionFlops(ElementCount(input), weights)};
  }
  Dims output = {input[0], weights[0]};
  for (std::size_t i = kOuterDims; i < input.size(); ++i) {
    const std::size_t axis = i - kOuterDims;
    const std::int64_t stride = At(*shape.stride, axis);
    const std::int64_t covered = At(*shape.dilation, axis) * (weights[i] - 1) + 1;
    const std::int64_t length = input[i] + 2 * At(*shape.padding, axis);
    if (stride <= 0 || length < covered) {
      return {};
    }
    output.push_back((length - covered) / stride + 1);
  }
  const std::uint64_t elements = ElementCount(output);
  return {.flops = ConvolutionFlops(elements, weights),
          .moved_byte_size = Moved(arguments, elements)};
}

// [..., m, k] with [..., k, n], or with weights [n, k] of a linear layer.
OperatorWork WorkOfProduct(Arguments arguments, const Dims& left, const Dims& right,
                           bool right_is_transposed) {
  if (left.empty() || right.size() < 2) {
    return {};
  }
  const std::int64_t inner = left.back();
  const std::int64_t columns = right_is_transposed ? right[right.size() - 2] : right.back();
  const std::int64_t right_inner = right_is_transposed ? right.back() : right[right.size() - 2];
  const bool batches = right.size() > 2;
  if (inner <= 0 || columns <= 0 || right_inner != inner ||
      (batches &&
       (left.size() != right.size() || !std::equal(left.begin(), left.end() - 2, right.begin())))) {
    return {};
  }
  const std::uint64_t rows = ElementCount(left) / static_cast<std::uint64_t>(inner);
  const std::uint64_t elements = ProductOrUnknown(rows, static_cast<std::uint64_t>(columns));
  return {.flops = MatrixProductFlops(elements, inner),
          .moved_byte_size = Moved(arguments, elements)};
}

// Queries [..., l, d], keys [..., s, d] and values [..., s, v]: two products. A causal one leaves
// out a part that depends on the kernel.
OperatorWork WorkOfAttention(Arguments arguments, std::size_t causal_at) {
  if (arguments.size() <= causal_at || At(arguments[causal_at].integers, 0) != 0) {
    return {};
  }
  const Dims& query = arguments[0].tensor.dims;
  const Dims& key = arguments[1].tensor.dims;
  const Dims& value = arguments[2].tensor.dims;
  if (query.size() < 2 || key.size() != query.size() || value.size() != query.size() ||
      !std::equal(query.begin(), query.end() - 2, key.begin()) || query.back() <= 0) {
    return {};
  }
  const std::uint64_t rows = ElementCount(query) / static_cast<std::uint64_t>(query.back());
  const std::uint64_t columns =
      ProductOrUnknown(rows, static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.back())));
  const std::int64_t length = key[key.size() - 2];
  const std::array products = {
      MatrixProductFlops(
          ProductOrUnknown(rows, static_cast<std::uint64_t>(std::max<std::int64_t>(0, length))),
          query.back()),
      MatrixProductFlops(columns, length)};
  return {.flops = SumOrUnknown(products), .moved_byte_size = Moved(arguments, columns)};
}

// The larger of each dimension, from the last one on.
Dims Broadcast(const Dims& a, const Dims& b) {
  Dims dims(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const std::int64_t left = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t right = i < b.size() ? b[b.size() - 1 - i] : 1;
    dims[dims.size() - 1 - i] = left == 1 ? right : left;
  }
  return dims;
}

OperatorWork WorkOfRule(std::string_view name, Arguments arguments) {
  const auto dims = [&](std::size_t index) -> const Dims& { return arguments[index].tensor.dims; };
  if (IsOneOf(kConvolutions, name)) {
    return WorkOfConvolution(name, arguments);
  }
  if ((name == "aten::mm" || name == "aten::bmm" || name == "aten::matmul") &&
      arguments.size() >= 2) {
    return WorkOfProduct(arguments, dims(0), dims(1), false);
  }
  if ((name == "aten::addmm" || name == "aten::baddbmm" || name == "aten::_addmm_activation") &&
      arguments.size() >= 3) {
    return WorkOfProduct(arguments, dims(1), dims(2), false);
  }
  if (name == "aten::linear" && arguments.size() >= 2) {
    return WorkOfProduct(arguments, dims(0), dims(1), true);
  }
  if (name == "aten::scaled_dot_product_attention") {
    return WorkOfAttention(arguments, 5);
  }
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu") {
    return WorkOfAttention(arguments, 4);
  }
  if (IsOneOf(kElementwise, name)) {
    return {.moved_byte_size = Moved(arguments, ElementCount(dims(0)))};
  }
  if (IsOneOf(kReductions, name)) {
    return {.moved_byte_size = MemoryOf(arguments[0])};
  }
  if (IsOneOf(kArithmetic, name) && arguments.size() >= 2) {
    const std::uint64_t elements = ElementCount(Broadcast(dims(0), dims(1)));
    return {.flops = elements, .moved_byte_size = Moved(arguments, elements)};
  }
  if (name == "aten::copy_" && arguments.size() >= 2) {
    return {.moved_byte_size =
                SumOrUnknown(std::array{MemoryOf(arguments[0]), MemoryOf(arguments[1])})};
  }
  return {};
}

}  // namespace

std::uint64_t AtenElementByteSize(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 12> kSizes = {
      {{"float", 4},
       {"double", 8},
       {"c10::Half", 2},
       {"c10::BFloat16", 2},
       {"signed char", 1},
       {"unsigned char", 1},
       {"char", 1},
       {"bool", 1},
       {"short", 2},
       {"short int", 2},
       {"int", 4},
       {"long int", 8}}};
  for (const auto& [name, size] : kSizes) {
    if (name == type) {
      return size;
    }
  }
  return type == "long" ? sizeof(std::int64_t) : 0;
}

OperatorWork WorkOfAten(std::string_view name, Arguments arguments, std::uint64_t kineto_flops) {
  OperatorWork work;
  if (!arguments.empty() && arguments[0].tensor.element_byte_size > 0) {
    work = WorkOfRule(name, arguments);
  }
  if (work.flops == 0) {
    work.flops = kineto_flops;
  }
  return work;
}

}  // namespace headrace::backend
