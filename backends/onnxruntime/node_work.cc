#include "onnxruntime/node_work.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace headrace::backend {
namespace {

// Read all of their inputs and write all of their outputs.
constexpr std::string_view kWholeTensorOperators[] = {"Abs",
                                                      "Add",
                                                      "And",
                                                      "AveragePool",
                                                      "BatchNormalization",
                                                      "BiasGelu",
                                                      "Cast",
                                                      "Ceil",
                                                      "Clip",
                                                      "Concat",
                                                      "Cos",
                                                      "DequantizeLinear",
                                                      "Div",
                                                      "Elu",
                                                      "Equal",
                                                      "Erf",
                                                      "Exp",
                                                      "Expand",
                                                      "FastGelu",
                                                      "Floor",
                                                      "Gelu",
                                                      "GlobalAveragePool",
                                                      "GlobalMaxPool",
                                                      "Greater",
                                                      "HardSigmoid",
                                                      "HardSwish",
                                                      "InstanceNormalization",
                                                      "LayerNormalization",
                                                      "LeakyRelu",
                                                      "Less",
                                                      "Log",
                                                      "LogSoftmax",
                                                      "Max",
                                                      "MaxPool",
                                                      "Min",
                                                      "Mul",
                                                      "Neg",
                                                      "Not",
                                                      "Or",
                                                      "PRelu",
                                                      "Pad",
                                                      "Pow",
                                                      "QLinearAdd",
                                                      "QLinearGlobalAveragePool",
                                                      "QuantizeLinear",
                                                      "QuickGelu",
                                                      "ReduceMax",
                                                      "ReduceMean",
                                                      "ReduceMin",
                                                      "ReduceSum",
                                                      "Relu",
                                                      "ReorderInput",
                                                      "ReorderOutput",
                                                      "Selu",
                                                      "Sigmoid",
                                                      "SimplifiedLayerNormalization",
                                                      "Sin",
                                                      "SkipLayerNormalization",
                                                      "SkipSimplifiedLayerNormalization",
                                                      "Softmax",
                                                      "Softplus",
                                                      "Split",
                                                      "Sqrt",
                                                      "Sub",
                                                      "Tanh",
                                                      "Tile",
                                                      "Transpose",
                                                      "Where"};

// One operation for each element of the output.
bool IsArithmetic(std::string_view op) {
  return op == "Add" || op == "Sub" || op == "Mul" || op == "Div";
}

// Convolutions without a bias, or with one: the weights are the first other input that has as many
// dimensions as the image and fits it. Null: the runtime has repacked them.
const OperatorTensor* WeightsOf(std::span<const OperatorTensor> inputs,
                                const OperatorTensor& output) {
  constexpr std::size_t kChannels = 1;
  const std::vector<std::int64_t>& image = inputs[0].dims;
  for (const OperatorTensor& input : inputs.subspan(1)) {
    const std::vector<std::int64_t>& dims = input.dims;
    if (dims.size() == image.size() && dims.size() > kChannels + 1 && dims[kChannels] > 0 &&
        dims[0] == output.dims[kChannels] && image[kChannels] % dims[kChannels] == 0) {
      return &input;
    }
  }
  return nullptr;
}

OperatorWork WorkOfConvolution(std::span<const OperatorTensor> inputs,
                               std::span<const OperatorTensor> outputs) {
  const OperatorTensor& output = outputs[0];
  if (output.dims.size() != inputs[0].dims.size()) {
    return {};
  }
  const OperatorTensor* const weights = WeightsOf(inputs, output);
  if (weights == nullptr) {
    return {};
  }
  return {.flops = ConvolutionFlops(ElementCount(output.dims), weights->dims),
          .moved_byte_size = SumOrUnknown(std::array{ByteSizeOf(inputs), ByteSizeOf(outputs)})};
}

OperatorWork WorkOfProduct(std::string_view op, std::span<const OperatorTensor> inputs,
                           std::span<const OperatorTensor> outputs) {
  const OperatorTensor& left = inputs[0];
  const OperatorTensor& output = outputs[0];
  if (left.dims.empty() || output.dims.empty() || output.dims.back() <= 0) {
    return {};
  }
  const std::int64_t inner =
      op == "MatMul" ? left.dims.back() : InnerDimension(left.dims, output.dims);
  if (inner <= 0) {
    return {};
  }
  OperatorWork work{.flops = MatrixProductFlops(ElementCount(output.dims), inner)};
  const auto right_elements =
      static_cast<std::uint64_t>(inner) * static_cast<std::uint64_t>(output.dims.back());
  std::uint64_t moved = SumOrUnknown(std::array{ByteSizeOf(inputs), ByteSizeOf(outputs)});
  const bool has_right = inputs.size() > 1 && inputs[1].dims.size() > 1 &&
                         ElementCount(inputs[1].dims) % right_elements == 0;
  if (!has_right && moved > 0) {
    moved += right_elements * left.element_byte_size;  // repacked weights
  }
  work.moved_byte_size = moved;
  return work;
}

}  // namespace

std::uint64_t ElementByteSizeOf(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, std::uint64_t>, 13> kSizes = {{{"float", 4},
                                                                                  {"float16", 2},
                                                                                  {"bfloat16", 2},
                                                                                  {"double", 8},
                                                                                  {"int8", 1},
                                                                                  {"uint8", 1},
                                                                                  {"int16", 2},
                                                                                  {"uint16", 2},
                                                                                  {"int32", 4},
                                                                                  {"uint32", 4},
                                                                                  {"int64", 8},
                                                                                  {"uint64", 8},
                                                                                  {"bool", 1}}};
  for (const auto& [name, size] : kSizes) {
    if (name == type) {
      return size;
    }
  }
  return 0;
}

OperatorWork WorkOfNode(std::string_view op, std::span<const OperatorTensor> inputs,
                        std::span<const OperatorTensor> outputs) {
  if (inputs.empty() || outputs.empty()) {
    return {};
  }
  if (op == "Conv" || op == "FusedConv" || op == "ConvInteger" || op == "QLinearConv") {
    return WorkOfConvolution(inputs, outputs);
  }
  if (op == "MatMul" || op == "FusedMatMul" || op == "Gemm" || op == "FusedGemm") {
    return WorkOfProduct(op, inputs, outputs);
  }
  if (std::find(std::begin(kWholeTensorOperators), std::end(kWholeTensorOperators), op) ==
      std::end(kWholeTensorOperators)) {
    return {};
  }
  return {.flops = IsArithmetic(op) ? ElementCount(outputs[0].dims) : 0,
          .moved_byte_size = SumOrUnknown(std::array{ByteSizeOf(inputs), ByteSizeOf(outputs)})};
}

}  // namespace headrace::backend
