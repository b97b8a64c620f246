// Nested JSON lists of numbers, which handlers take in place of an image.
#ifndef HEADRACE_HANDLER_FLOAT_LIST_H_
#define HEADRACE_HANDLER_FLOAT_LIST_H_

#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/shape.h"

namespace headrace::handler {

struct FloatList {
  Shape shape;
  std::vector<float> values;
};

// INVALID_ARGUMENT unless `json` is a list of numbers, or of such lists that are all of one shape.
Result<FloatList> ParseFloatList(std::string_view json);

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_FLOAT_LIST_H_
