// Images whose pixels are indexes into a palette.
#ifndef HEADRACE_IMAGE_INDEXED_ROWS_H_
#define HEADRACE_IMAGE_INDEXED_ROWS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "image/decode.h"

namespace headrace::image {

// The colours of all indexes, R G B each.
class Palette {
 public:
  // Each index's own grey, which is what an image without a palette has.
  Palette();
  // All black, as in Pillow what a palette does not name.
  static Palette Black();
  // Beyond 255 nothing is kept.
  void Set(std::size_t index, std::uint8_t red, std::uint8_t green, std::uint8_t blue);
  // `rgb` has room for a row's pixels.
  void Expand(std::span<const std::uint8_t> indexes, std::uint8_t* rgb) const;

 private:
  std::array<std::uint8_t, 768> colors_;
};

// The whole image to `consumer`, which has begun: `indexes` has a row after the other, the first
// one at the top, or with `bottom_up` at the bottom.
void GiveRows(std::span<const std::uint8_t> indexes, std::size_t width, bool bottom_up,
              const Palette& palette, RowConsumer& consumer);

}  // namespace headrace::image

#endif  // HEADRACE_IMAGE_INDEXED_ROWS_H_
