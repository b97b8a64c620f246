// The horizontal half of the resize: rows of pixels become rows of the crop's width.
#ifndef HEADRACE_IMAGE_NARROW_ROW_H_
#define HEADRACE_IMAGE_NARROW_ROW_H_

#include <cstdint>
#include <vector>

#include "image/resample_weights.h"

namespace headrace::image {

// Sums in Pillow's fixed point, to the bit the same with and without vectors (AVX2). Thread-safe.
class RowNarrower {
 public:
  RowNarrower() = default;
  // Requires weights that are not negative.
  explicit RowNarrower(ResampleWeights weights);

  std::uint32_t out_width() const { return static_cast<std::uint32_t>(weights_.windows.size()); }
  // The pixels of one row, R G B, into out_width() pixels. kRowPadding bytes behind the row are
  // read.
  void Narrow(const std::uint8_t* rgb, std::uint8_t* out) const;
  // The same without vectors.
  void NarrowPlainly(const std::uint8_t* rgb, std::uint8_t* out) const;

  // Four weights, each as an upper and a lower part of 16 bits, for four pixels that follow each
  // other.
  struct FourWeights {
    std::int16_t upper[4] = {}, lower[4] = {};
  };
  struct Group {
    std::uint32_t first_byte = 0;  // of the first pixel
    std::uint32_t count = 0;       // of FourWeights
  };

 private:
  ResampleWeights weights_;
  // For vectors, one group for each output pixel and their weights in turn; empty where there are
  // none.
  std::vector<Group> groups_;
  std::vector<FourWeights> fours_;
};

}  // namespace headrace::image

#endif  // HEADRACE_IMAGE_NARROW_ROW_H_
