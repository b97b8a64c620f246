#include "image/decode.h"

#include <string_view>

#include "image/formats.h"

namespace headrace::image {

Status CheckDimensions(std::uint64_t width, std::uint64_t height, const DecodeOptions& options) {
  if (width == 0 || height == 0) {
    return InvalidArgument("the image has no pixels: it is {} x {}", width, height);
  }
  if (width > options.pixel_count_max / height) {
    return InvalidArgument(
        "the image has {} x {} pixels, the limit is {} pixels (--image-pixel-count-max)", width,
        height, options.pixel_count_max);
  }
  return OkStatus();
}

Result<MemoryCharge> MemoryCharge::Take(const DecodeOptions& options, std::uint64_t byte_size) {
  MemoryCharge charge;
  if (options.budget == nullptr) {
    return charge;
  }
  if (!options.budget->TryCharge(byte_size)) {
    return ResourceExhausted(
        "decoding the image takes {} bytes, and of the {} for images (--image-memory-bytes-max) {} "
        "are in use",
        byte_size, options.budget->byte_size_max(), options.budget->used());
  }
  charge.budget_ = options.budget;
  charge.byte_size_ = byte_size;
  return charge;
}

Status Decode(std::span<const std::byte> data, const DecodeOptions& options,
              RowConsumer& consumer) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  if (text.starts_with("\xff\xd8\xff")) {
    return DecodeJpeg(data, options, consumer);
  }
  if (text.starts_with("\x89PNG\r\n\x1a\n")) {
    return DecodePng(data, options, consumer);
  }
  if (text.starts_with("RIFF") && text.size() >= 12 && text.substr(8, 4) == "WEBP") {
    return DecodeWebp(data, options, consumer);
  }
  if (text.starts_with("GIF87a") || text.starts_with("GIF89a")) {
    return DecodeGif(data, options, consumer);
  }
  if (text.starts_with("BM")) {
    return DecodeBmp(data, options, consumer);
  }
  return InvalidArgument(
      "cannot identify the image: its {} bytes do not begin as JPEG, PNG, WebP, GIF or BMP do; for "
      "other formats let a Python worker read it ('native: false' in model-config.yaml)",
      data.size());
}

}  // namespace headrace::image
