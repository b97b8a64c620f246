#include "common/batch_tensors.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

namespace headrace::backend {
namespace {

using Kind = BatchInputConfig::Kind;

constexpr std::size_t kElementByteSize = 4;  // of INT32 and FP32

Error Append(std::int64_t value, TRITONSERVER_DataType dtype, std::vector<std::byte>* bytes) {
  const std::size_t offset = bytes->size();
  bytes->resize(offset + kElementByteSize);
  if (dtype == TRITONSERVER_TYPE_FP32) {
    const auto element = static_cast<float>(value);
    std::memcpy(bytes->data() + offset, &element, kElementByteSize);
    return {};
  }
  if (value > std::numeric_limits<std::int32_t>::max()) {
    return InvalidArgument("a batch input has the value {}, which is too large for INT32", value);
  }
  const auto element = static_cast<std::int32_t>(value);
  std::memcpy(bytes->data() + offset, &element, kElementByteSize);
  return {};
}

Error AppendCounts(Kind kind, TRITONSERVER_DataType dtype, std::span<const ShapeView> shapes,
                   std::vector<std::byte>* bytes) {
  const bool accumulates = kind != Kind::kElementCount;
  std::int64_t total = 0;
  if (kind == Kind::kAccumulatedElementCountWithZero) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(Append(0, dtype, bytes));
  }
  for (const ShapeView shape : shapes) {
    std::int64_t count = 0;
    HEADRACE_BACKEND_RETURN_IF_ERROR(CountElements(shape, &count));
    if (__builtin_add_overflow(total, count, &total)) {
      return InvalidArgument("a batch has too many elements");
    }
    HEADRACE_BACKEND_RETURN_IF_ERROR(Append(accumulates ? total : count, dtype, bytes));
  }
  return {};
}

Error AppendItemShapes(TRITONSERVER_DataType dtype, std::span<const ShapeView> shapes,
                       std::size_t rank, std::vector<std::byte>* bytes) {
  for (const ShapeView shape : shapes) {
    if (shape.size() != rank + 1) {
      return InvalidArgument("the source of a batch input has {} dimensions, and then {}", rank + 1,
                             shape.size());
    }
    for (std::int64_t item = 0; item < shape[0]; ++item) {
      for (const std::int64_t dim : shape.subspan(1)) {
        HEADRACE_BACKEND_RETURN_IF_ERROR(Append(dim, dtype, bytes));
      }
    }
  }
  return {};
}

}  // namespace

Error CountElements(ShapeView shape, std::int64_t* count) {
  *count = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(*count, dim, count)) {
      return InvalidArgument("a tensor has too many elements");
    }
  }
  return {};
}

Error MakeBatchInput(Kind kind, TRITONSERVER_DataType dtype,
                     std::span<const ShapeView> source_shapes, BatchInputTensor* tensor) {
  tensor->bytes.clear();
  if (kind == Kind::kItemShape || kind == Kind::kItemShapeFlatten) {
    const std::size_t rank =
        source_shapes.empty() || source_shapes[0].empty() ? 0 : source_shapes[0].size() - 1;
    HEADRACE_BACKEND_RETURN_IF_ERROR(AppendItemShapes(dtype, source_shapes, rank, &tensor->bytes));
    const auto element_count = static_cast<std::int64_t>(tensor->bytes.size() / kElementByteSize);
    const auto columns = static_cast<std::int64_t>(rank);
    if (kind == Kind::kItemShapeFlatten) {
      tensor->shape = {element_count};
    } else {
      tensor->shape = {columns == 0 ? 0 : element_count / columns, columns};
    }
    return {};
  }
  if (kind == Kind::kMaxElementCountAsShape) {
    std::int64_t largest = 0;
    for (const ShapeView shape : source_shapes) {
      std::int64_t count = 0;
      HEADRACE_BACKEND_RETURN_IF_ERROR(CountElements(shape, &count));
      largest = std::max(largest, count);
    }
    tensor->shape = {largest};
    // No larger than the request's own bytes times four: an element has at least one.
    tensor->bytes.resize(static_cast<std::size_t>(largest) * kElementByteSize);
    return {};
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(AppendCounts(kind, dtype, source_shapes, &tensor->bytes));
  tensor->shape = {static_cast<std::int64_t>(tensor->bytes.size() / kElementByteSize)};
  return {};
}

Error ScatteredShape(ShapeView dims, ShapeView source_shape, std::vector<std::int64_t>* shape) {
  shape->assign(1, source_shape.empty() ? 1 : source_shape[0]);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] >= 0) {
      shape->push_back(dims[i]);
    } else if (i + 1 < source_shape.size()) {
      shape->push_back(source_shape[i + 1]);
    } else {
      return InvalidArgument(
          "a batch output has a variable dimension {}, and its source input has only {} dimensions",
          i, source_shape.empty() ? 0 : source_shape.size() - 1);
    }
  }
  return {};
}

}  // namespace headrace::backend
