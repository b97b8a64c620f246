// Pillow's Image.resize(..., BILINEAR) of an RGB image and a crop from its middle, in one go.
#ifndef HEADRACE_IMAGE_RESIZE_H_
#define HEADRACE_IMAGE_RESIZE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "image/decode.h"
#include "image/narrow_row.h"
#include "image/resample_weights.h"

namespace headrace::image {

// torchvision's Resize(shorter_side) and CenterCrop(crop_side) on a PIL image, bit for bit. Only
// what the crop needs is computed, and of the decoded image only those rows are kept, already
// narrowed: crop_side * 3 bytes each. Not thread-safe.
class ResizeAndCrop final : public RowConsumer {
 public:
  // Requires crop_side <= shorter_side.
  ResizeAndCrop(std::uint32_t shorter_side, std::uint32_t crop_side)
      : shorter_side_(shorter_side), crop_side_(crop_side) {}

  Status Begin(std::uint32_t width, std::uint32_t height) override;
  void Row(const std::uint8_t* rgb) override;

  std::uint32_t side() const { return crop_side_; }
  // Row `y` of the crop into `rgb`, side() * 3 bytes. Requires that all rows have been given.
  void ReadRow(std::uint32_t y, std::span<std::uint8_t> rgb);

 private:
  std::size_t stride() const { return std::size_t{crop_side_} * 3; }

  const std::uint32_t shorter_side_, crop_side_;
  RowNarrower columns_;
  ResampleWeights rows_;
  std::uint32_t row_ = 0;                        // that comes next
  std::uint32_t kept_begin_ = 0, kept_end_ = 0;  // input rows that the crop needs
  std::vector<std::uint8_t> kept_;               // those, narrowed
  std::vector<std::int32_t> sums_;               // of one output row
};

}  // namespace headrace::image

#endif  // HEADRACE_IMAGE_RESIZE_H_
