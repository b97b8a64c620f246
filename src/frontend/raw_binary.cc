#include "frontend/raw_binary.h"

#include <cstring>
#include <limits>

#include "base/checked_math.h"

namespace headrace::frontend {
namespace {

// The product of the fixed dimensions, and where the open one is.
struct Extent {
  std::int64_t fixed_count = 1;
  std::optional<std::size_t> open_dim;
};

Result<Extent> Measure(const Shape& dims, std::string_view input) {
  Extent extent;
  for (std::size_t i = 0; i < dims.rank(); ++i) {
    if (dims[i] >= 0) {
      const auto product = CheckedMultiply(extent.fixed_count, dims[i]);
      if (!product) {
        return InvalidArgument("the shape of input '{}' is too large", input);
      }
      extent.fixed_count = *product;
    } else if (extent.open_dim) {
      return InvalidArgument(
          "The shape of the raw input '{}' can not be deduced because there are more than one "
          "variable-sized dimension",
          input);
    } else {
      extent.open_dim = i;
    }
  }
  return extent;
}

Result<Shape> ShapeOfSize(const engine::TensorSpec& input, std::size_t byte_size) {
  HEADRACE_ASSIGN_OR_RETURN(const Extent extent, Measure(input.dims, input.name));
  Shape shape = input.dims;
  if (input.dtype == DataType::kBytes) {
    if (extent.fixed_count != 1) {
      return InvalidArgument(
          "For BYTE datatype raw input '{}', the model must have input shape [1]", input.name);
    }
    if (extent.open_dim) {
      shape[*extent.open_dim] = 1;
    }
    return shape;
  }
  const auto unit =
      CheckedMultiply(extent.fixed_count, static_cast<std::int64_t>(DataTypeByteSize(input.dtype)));
  if (!unit || *unit <= 0) {
    return InvalidArgument("input '{}' can not be given as a raw body", input.name);
  }
  const auto size = static_cast<std::int64_t>(byte_size);
  if (size % *unit != 0 || (!extent.open_dim && size != *unit)) {
    return InvalidArgument(
        "unexpected size for raw input '{}': {} bytes do not fill the shape {} of {}", input.name,
        byte_size, input.dims.ToString(), DataTypeName(input.dtype));
  }
  if (extent.open_dim) {
    shape[*extent.open_dim] = size / *unit;
  }
  return shape;
}

Result<Buffer> WithLengthInFront(const Buffer& body, BlockPool& pool) {
  if (body.size() > std::numeric_limits<std::uint32_t>::max()) {
    return InvalidArgument("a BYTES element holds at most 2^32 - 1 bytes");
  }
  const auto length = static_cast<std::uint32_t>(body.size());
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory, pool.Allocate(sizeof(length) + body.size()));
  std::memcpy(memory.data(), &length, sizeof(length));
  if (!body.empty()) {
    std::memcpy(memory.data() + sizeof(length), body.data(), body.size());
  }
  return std::move(memory).Freeze();
}

}  // namespace

Result<NamedTensor> TensorOfRawBody(const engine::ModelSignature& signature,
                                    std::string_view model_name, const Buffer& body,
                                    BlockPool& pool) {
  if (signature.inputs.size() != 1) {
    return InvalidArgument(
        "Raw request must only have 1 input (found {}) to be deduced but got {} inputs in '{}' "
        "model configuration",
        signature.inputs.size(), signature.inputs.size(), model_name);
  }
  const engine::TensorSpec& input = signature.inputs.front();
  NamedTensor raw{.name = input.name, .tensor = {}};
  raw.tensor.dtype = input.dtype;
  HEADRACE_ASSIGN_OR_RETURN(const Shape shape, ShapeOfSize(input, body.size()));
  raw.tensor.shape = shape;
  if (signature.batch_size_max > 0) {
    if (shape.rank() == Shape::kRankMax) {
      return InvalidArgument("input '{}' has too many dimensions", input.name);
    }
    raw.tensor.shape = shape.Prepend(1);
  }
  if (input.dtype == DataType::kBytes) {
    HEADRACE_ASSIGN_OR_RETURN(raw.tensor.data, WithLengthInFront(body, pool));
  } else {
    raw.tensor.data = body;
  }
  return raw;
}

}  // namespace headrace::frontend
