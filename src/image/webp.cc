#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>
#include <vector>

#include "image/formats.h"

namespace headrace::image {
namespace {

constexpr unsigned kWorkingBytesPerPixel = 8;  // what a decoder needs, and the pixels

const std::uint8_t* RawBytes(Bytes data) {
  return reinterpret_cast<const std::uint8_t*>(data.data());
}

Status Damaged() { return InvalidArgument("the WebP image is damaged or cut short"); }

Status DecodeStill(Bytes data, std::size_t width, std::size_t height, RowConsumer& consumer) {
  const std::size_t stride = width * 3;
  const std::size_t byte_size = stride * height;
  const auto pixels = std::make_unique_for_overwrite<std::uint8_t[]>(byte_size + kRowPadding);
  if (WebPDecodeRGBInto(RawBytes(data), data.size(), pixels.get(), byte_size,
                        static_cast<int>(stride)) == nullptr) {
    return Damaged();
  }
  for (std::size_t y = 0; y < height; ++y) {
    consumer.Row(pixels.get() + y * stride);
  }
  return OkStatus();
}

Status DecodeFirstFrame(Bytes data, std::size_t width, std::size_t height, RowConsumer& consumer) {
  WebPAnimDecoderOptions options;
  WebPAnimDecoderOptionsInit(&options);
  options.color_mode = MODE_RGBA;
  const WebPData file = {RawBytes(data), data.size()};
  const std::unique_ptr<WebPAnimDecoder, void (*)(WebPAnimDecoder*)> decoder(
      WebPAnimDecoderNew(&file, &options), &WebPAnimDecoderDelete);
  std::uint8_t* rgba = nullptr;
  int timestamp = 0;
  if (decoder == nullptr || WebPAnimDecoderGetNext(decoder.get(), &rgba, &timestamp) == 0) {
    return Damaged();
  }
  std::vector<std::uint8_t> row(width * 3 + kRowPadding);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x, rgba += 4) {
      row[x * 3] = rgba[0];
      row[x * 3 + 1] = rgba[1];
      row[x * 3 + 2] = rgba[2];
    }
    consumer.Row(row.data());
  }
  return OkStatus();
}

}  // namespace

Status DecodeWebp(Bytes data, const DecodeOptions& options, RowConsumer& consumer) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(RawBytes(data), data.size(), &features) != VP8_STATUS_OK) {
    return Damaged();
  }
  const auto width = static_cast<std::uint32_t>(features.width);
  const auto height = static_cast<std::uint32_t>(features.height);
  HEADRACE_RETURN_IF_ERROR(CheckDimensions(width, height, options));
  HEADRACE_ASSIGN_OR_RETURN(
      const MemoryCharge charge,
      MemoryCharge::Take(options, std::uint64_t{width} * height * kWorkingBytesPerPixel));
  HEADRACE_RETURN_IF_ERROR(consumer.Begin(width, height));
  return features.has_animation != 0 ? DecodeFirstFrame(data, width, height, consumer)
                                     : DecodeStill(data, width, height, consumer);
}

}  // namespace headrace::image
