#include <cstring>
#include <utility>

#include "base/checked_math.h"
#include "protocol/v2_json.h"

namespace headrace::protocol {
namespace {

Status DoesNotFit(const V2RawInput& input, std::string_view model_name, std::size_t byte_size) {
  return InvalidArgument(
      "unexpected size for input '{}', raw request of {} bytes does not fit {} {} of model '{}'",
      input.name, byte_size, DataTypeName(input.dtype), Shape(input.dims).ToString(), model_name);
}

// The configured dimensions with the variable one, if any, put in so that there are `element_count`
// elements.
Result<Shape> ResolveShape(const V2RawInput& input, std::string_view model_name,
                           std::size_t byte_size, std::int64_t element_count) {
  Shape shape(input.dims);
  std::int64_t fixed = 1;
  std::int64_t* variable = nullptr;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] < 0) {
      if (variable != nullptr) {
        return InvalidArgument(
            "raw request for model '{}': the shape of input '{}' has more than one variable "
            "dimension, so it cannot be "
            "deduced from the size",
            model_name, input.name);
      }
      variable = &shape[i];
      continue;
    }
    const auto product = CheckedMultiply(fixed, shape[i]);
    if (!product) {
      return DoesNotFit(input, model_name, byte_size);
    }
    fixed = *product;
  }
  if (variable != nullptr) {
    if (fixed == 0 || element_count % fixed != 0) {
      return DoesNotFit(input, model_name, byte_size);
    }
    *variable = element_count / fixed;
  } else if (fixed != element_count) {
    return DoesNotFit(input, model_name, byte_size);
  }
  return shape;
}

Result<Buffer> WithLengthInFront(const Buffer& body, BlockPool& pool) {
  const auto length = static_cast<std::uint32_t>(body.size());
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer buffer, pool.Allocate(sizeof(length) + body.size()));
  std::memcpy(buffer.data(), &length, sizeof(length));
  if (!body.empty()) {
    std::memcpy(buffer.data() + sizeof(length), body.data(), body.size());
  }
  return std::move(buffer).Freeze();
}

}  // namespace

Result<V2InferRequest> ParseRawInferRequest(const Buffer& body, const V2RawInput& input,
                                            std::string_view model_name, const V2JsonLimits& limits,
                                            BlockPool& pool) {
  if (body.size() > limits.json_byte_size_max) {
    return ResourceExhausted(
        "raw request of {} bytes exceeds the maximum allowed input size of {} bytes. Use "
        "--http-max-input-size to "
        "increase the limit.",
        body.size(), limits.json_byte_size_max);
  }
  const bool bytes = input.dtype == DataType::kBytes;
  const std::size_t width = bytes ? body.size() : DataTypeByteSize(input.dtype);
  const bool whole = bytes ? body.size() <= UINT32_MAX : width != 0 && body.size() % width == 0;
  if (!whole || input.dims.size() + (input.batched ? 1 : 0) > Shape::kRankMax) {
    return DoesNotFit(input, model_name, body.size());
  }
  const auto element_count = static_cast<std::int64_t>(bytes ? 1 : body.size() / width);
  HEADRACE_ASSIGN_OR_RETURN(const Shape shape,
                            ResolveShape(input, model_name, body.size(), element_count));

  NamedTensor named;
  named.name = input.name;
  named.tensor.dtype = input.dtype;
  named.tensor.shape = input.batched ? shape.Prepend(1) : shape;
  named.tensor.data = body;
  if (bytes) {
    HEADRACE_ASSIGN_OR_RETURN(named.tensor.data, WithLengthInFront(body, pool));
  }
  V2InferRequest request;
  request.binary_output_default = true;
  request.inputs.push_back(std::move(named));
  return request;
}

}  // namespace headrace::protocol
