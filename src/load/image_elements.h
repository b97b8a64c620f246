// Images as the elements of a tensor.
#ifndef HEADRACE_LOAD_IMAGE_ELEMENTS_H_
#define HEADRACE_LOAD_IMAGE_ELEMENTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/input_signature.h"
#include "load/workload_spec.h"

namespace headrace::load {

struct ImageElements {
  std::vector<std::int64_t> dims;
  std::string bytes;
};

// A JPEG, PNG or WebP image for `input`: for BYTES the file as it is; else decoded, resized
// (bilinear, without regard to its aspect) to the input's height and width, as [C,H,W] or [H,W,C]
// with 1 or 3 channels, whichever the shape has (dimensions of 1 may stand in front). An open
// height or width is the image's own. Integers take 0..255 whatever `scaling`. INVALID_ARGUMENT
// begins with `where`.
Result<ImageElements> ReadImage(std::string_view file, const TensorSignature& input,
                                PixelScaling scaling, const std::string& where);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_IMAGE_ELEMENTS_H_
