// Decodes images of outside, JPEG, PNG, WebP, GIF and BMP, to RGB as Pillow's
// `Image.open(...).convert("RGB")` has it: same choice of decoder settings, alpha dropped, EXIF
// orientation and colour profiles left alone.
#ifndef HEADRACE_IMAGE_DECODE_H_
#define HEADRACE_IMAGE_DECODE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"
#include "tensor/block_pool.h"

namespace headrace::image {

// Of images that Pillow refuses as decompression bombs there are more pixels.
inline constexpr std::uint64_t kPixelCountMax = 178'956'970;
// Bytes behind each row that may be read (and mean nothing).
inline constexpr std::size_t kRowPadding = 16;

struct DecodeOptions {
  std::uint64_t pixel_count_max = kPixelCountMax;
  // Charged with what a decoder keeps of an image beside its rows (progressive, interlaced and
  // WebP images); null: not counted.
  MemoryBudget* budget = nullptr;
};

// Takes an image row by row, from the top.
class RowConsumer {
 public:
  virtual ~RowConsumer() = default;
  // Once, before the rows. A failure ends the decoding with it.
  virtual Status Begin(std::uint32_t width, std::uint32_t height) = 0;
  // width * 3 bytes, R G B; kRowPadding more may be read. Borrowed for the call.
  virtual void Row(const std::uint8_t* rgb) = 0;
};

// Gives the image to `consumer`. The format is told by the first bytes. INVALID_ARGUMENT for what
// is no image, is damaged, cut short, or has more pixels than allowed; RESOURCE_EXHAUSTED when the
// budget is spent: some rows may have been given by then. Pure but for the consumer; any thread.
Status Decode(std::span<const std::byte> data, const DecodeOptions& options, RowConsumer& consumer);

}  // namespace headrace::image

#endif  // HEADRACE_IMAGE_DECODE_H_
