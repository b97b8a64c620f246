#include "openvino/node_work.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace headrace::backend {
namespace {

// Read all of their inputs and write all of their outputs.
constexpr std::string_view kWholeTensorLayers[] = {
    "Concatenation", "Convert",     "Eltwise",  "FakeQuantize", "Interpolate", "MVN",
    "Math",          "NormalizeL2", "Pad",      "Pooling",      "RMS",         "Reduce",
    "Reorder",       "Softmax",     "Subgraph", "Tile",         "Transpose"};

// Nothing for layers without a rule.
std::uint64_t FlopsOf(std::string_view layer, std::span<const OperatorTensor> inputs,
                      const OperatorTensor& output) {
  const std::vector<std::int64_t>& input = inputs[0].dims;
  const std::vector<std::int64_t>& weights = inputs[1].dims;
  if (layer == "Convolution" && weights.size() >= input.size()) {
    // With groups these have a dimension of their own.
    return ConvolutionFlops(ElementCount(output.dims), weights,
                            1 + (weights.size() - input.size()));
  }
  if (layer == "Deconvolution" && weights.size() == input.size()) {
    return TransposedConvolutionFlops(ElementCount(input), weights);
  }
  if (layer == "FullyConnected" && !input.empty()) {
    return MatrixProductFlops(ElementCount(output.dims), input.back());
  }
  if (layer == "MatMul") {
    return MatrixProductFlops(ElementCount(output.dims), InnerDimension(input, output.dims));
  }
  return 0;
}

}  // namespace

OperatorWork WorkOfLayer(std::string_view layer, std::span<const OperatorTensor> inputs,
                         std::span<const OperatorTensor> outputs) {
  if (inputs.empty() || outputs.empty()) {
    return {};
  }
  const std::uint64_t flops = inputs.size() < 2 ? 0 : FlopsOf(layer, inputs, outputs[0]);
  const bool whole = std::find(std::begin(kWholeTensorLayers), std::end(kWholeTensorLayers),
                               layer) != std::end(kWholeTensorLayers);
  if (flops == 0 && !whole) {
    return {};
  }
  return {.flops = flops,
          .moved_byte_size = SumOrUnknown(std::array{ByteSizeOf(inputs), ByteSizeOf(outputs)})};
}

}  // namespace headrace::backend
