// The extents of a tensor: up to kRankMax signed 64-bit dimensions, stored inline.
#ifndef HEADRACE_TENSOR_SHAPE_H_
#define HEADRACE_TENSOR_SHAPE_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

#include "base/check.h"
#include "base/checked_math.h"

namespace headrace {

// A value type. -1 means "any extent" where a shape describes what a model accepts; a tensor's own
// shape has none.
class Shape {
 public:
  static constexpr std::size_t kRankMax = 16;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const std::int64_t> dims) {
    HEADRACE_CHECK(dims.size() <= kRankMax);
    std::copy(dims.begin(), dims.end(), dims_.begin());
    rank_ = dims.size();
  }

  std::size_t rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  std::int64_t operator[](std::size_t i) const { return dims_[i]; }
  std::int64_t& operator[](std::size_t i) { return dims_[i]; }
  const std::int64_t* data() const { return dims_.data(); }
  std::span<const std::int64_t> dims() const { return {dims_.data(), rank_}; }
  auto begin() const { return dims().begin(); }
  auto end() const { return dims().end(); }

  // False, and no change, at kRankMax.
  bool Append(std::int64_t dim) {
    if (rank_ == kRankMax) {
      return false;
    }
    dims_[rank_++] = dim;
    return true;
  }
  // The shape with `dim` in front, or without its first dimension.
  Shape Prepend(std::int64_t dim) const {
    Shape result{dim};
    for (std::int64_t d : *this) {
      HEADRACE_CHECK(result.Append(d));
    }
    return result;
  }
  Shape WithoutFirst() const { return rank_ == 0 ? Shape() : Shape(dims().subspan(1)); }

  // The product of all dimensions, 1 for rank 0; nothing if a dimension is negative or the product
  // overflows.
  std::optional<std::int64_t> ElementCount() const {
    std::int64_t count = 1;
    for (std::int64_t dim : *this) {
      const auto product = CheckedMultiply(count, dim);
      if (dim < 0 || !product) {
        return std::nullopt;
      }
      count = *product;
    }
    return count;
  }

  // "[1,3,224,224]"
  std::string ToString() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::array<std::int64_t, kRankMax> dims_{};
  std::size_t rank_ = 0;
};

}  // namespace headrace

#endif  // HEADRACE_TENSOR_SHAPE_H_
