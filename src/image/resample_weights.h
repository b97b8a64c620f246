// Pillow's bilinear filter as weights in fixed point.
#ifndef HEADRACE_IMAGE_RESAMPLE_WEIGHTS_H_
#define HEADRACE_IMAGE_RESAMPLE_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace headrace::image {

// For each output pixel of one dimension which input pixels it is made of, and their weights in
// fixed point, as Pillow's precompute_coeffs and normalize_coeffs_8bpc have them.
struct ResampleWeights {
  static constexpr int kPrecisionBits = 32 - 8 - 2;

  struct Window {
    std::uint32_t begin = 0, count = 0;
    std::size_t weight = 0;  // index into `weights` of the first
  };
  std::vector<Window> windows;
  std::vector<std::int32_t> weights;

  // Of the outputs [first, first + count) when `in_size` pixels become `out_size`.
  static ResampleWeights Bilinear(std::uint32_t in_size, std::uint64_t out_size,
                                  std::uint64_t first, std::uint32_t count);
};

}  // namespace headrace::image

#endif  // HEADRACE_IMAGE_RESAMPLE_WEIGHTS_H_
