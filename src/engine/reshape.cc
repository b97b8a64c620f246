#include "engine/reshape.h"

namespace headrace::engine {

std::optional<Shape> Reshape(const Shape& actual, const Shape& from, const Shape& to,
                             std::size_t rank_skipped) {
  if (actual.rank() != from.rank() + rank_skipped) {
    return std::nullopt;
  }
  Shape result(actual.dims().first(rank_skipped));
  std::size_t next = 0;
  for (std::int64_t dim : to) {
    if (dim == -1) {
      while (next < from.rank() && from[next] != -1) {
        ++next;
      }
      if (next == from.rank()) {
        return std::nullopt;
      }
      dim = actual[rank_skipped + next++];
    }
    if (!result.Append(dim)) {
      return std::nullopt;
    }
  }
  return result;
}

}  // namespace headrace::engine
