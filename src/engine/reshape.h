// What `reshape` of a model configuration does to a shape.
#ifndef HEADRACE_ENGINE_RESHAPE_H_
#define HEADRACE_ENGINE_RESHAPE_H_

#include <cstddef>
#include <optional>

#include "tensor/shape.h"

namespace headrace::engine {

// `actual` (after `rank_skipped` leading dimensions) written as `to`: each -1 of `to` takes the
// extent at the matching -1 of `from`. Nothing if they do not match.
std::optional<Shape> Reshape(const Shape& actual, const Shape& from, const Shape& to,
                             std::size_t rank_skipped);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_RESHAPE_H_
