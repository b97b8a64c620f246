#include "handler/image_input.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "handler/float_list.h"
#include "image/resize.h"
#include "image/tensor_writer.h"
#include "protocol/base64.h"

namespace headrace::handler {
namespace {

constexpr std::uint32_t kShorterSide = 256, kCropSide = 224;

const image::ChannelTables& ImageNetTables() {
  static const image::ChannelTables tables({0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F});
  return tables;
}

// As Python's b64decode: other characters are passed over.
Result<std::string> DecodeLenientBase64(std::string_view text) {
  std::string kept(text);
  std::erase_if(kept, [](char c) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return !letter && !(c >= '0' && c <= '9') && c != '+' && c != '/' && c != '=';
  });
  auto decoded = protocol::DecodeBase64(kept);
  return decoded.ok() ? std::move(decoded)
                      : decoded.status().WithPrefix("a text must be an image in base64: ");
}

Result<Tensor> FloatTensor(const RequestContent& content, BlockPool& pool) {
  HEADRACE_ASSIGN_OR_RETURN(const FloatList list, ParseFloatList(content.bytes.view()));
  const std::size_t byte_size = list.values.size() * sizeof(float);
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory, pool.Allocate(byte_size));
  std::copy_n(reinterpret_cast<const std::byte*>(list.values.data()), byte_size, memory.data());
  std::vector<std::int64_t> dims(1, 1);
  dims.insert(dims.end(), list.shape.begin(), list.shape.end());
  Tensor tensor;
  tensor.dtype = DataType::kFp32;
  tensor.shape = Shape(std::span<const std::int64_t>(dims));
  tensor.data = std::move(memory).Freeze();
  return tensor;
}

// Takes the rows of an image into a tensor as they come.
class WholeImage final : public image::RowConsumer {
 public:
  explicit WholeImage(BlockPool& pool) : pool_(pool) {}

  Status Begin(std::uint32_t width, std::uint32_t height) override {
    width_ = width;
    height_ = height;
    HEADRACE_ASSIGN_OR_RETURN(memory_, pool_.Allocate(3 * plane() * sizeof(float)));
    return OkStatus();
  }
  void Row(const std::uint8_t* rgb) override {
    static const image::ChannelTables tables;
    tables.WriteRow({rgb, std::size_t{width_} * 3}, plane(),
                    reinterpret_cast<float*>(memory_.data()) + std::size_t{row_++} * width_);
  }
  // Requires that all rows have been given.
  Tensor Take() && {
    Tensor tensor;
    tensor.dtype = DataType::kFp32;
    tensor.shape = Shape({1, 3, height_, width_});
    tensor.data = std::move(memory_).Freeze();
    return tensor;
  }

 private:
  std::size_t plane() const { return std::size_t{width_} * height_; }

  BlockPool& pool_;
  std::uint32_t width_ = 0, height_ = 0, row_ = 0;
  MutableBuffer memory_;
};

// Gives the image in a request to `consumer`.
Status DecodeContent(const RequestContent& content, const Workshop& shop,
                     image::RowConsumer& consumer) {
  std::string decoded;
  std::span<const std::byte> encoded = content.bytes.bytes();
  if (content.kind == RequestContent::Kind::kText) {
    HEADRACE_ASSIGN_OR_RETURN(decoded, DecodeLenientBase64(content.bytes.view()));
    encoded = std::as_bytes(std::span(decoded));
  }
  return image::Decode(encoded, shop.decoding, consumer);
}

}  // namespace

Result<Tensor> ClassifierInput(const RequestContent& content, const Workshop& shop) {
  if (content.kind == RequestContent::Kind::kJson) {
    return FloatTensor(content, shop.pool);
  }
  image::ResizeAndCrop crop(kShorterSide, kCropSide);
  HEADRACE_RETURN_IF_ERROR(DecodeContent(content, shop, crop));
  constexpr std::size_t kPlane = std::size_t{kCropSide} * kCropSide;
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory, shop.pool.Allocate(3 * kPlane * sizeof(float)));
  float* const out = reinterpret_cast<float*>(memory.data());
  std::vector<std::uint8_t> row(std::size_t{kCropSide} * 3);
  for (std::uint32_t y = 0; y < kCropSide; ++y) {
    crop.ReadRow(y, row);
    ImageNetTables().WriteRow(row, kPlane, out + std::size_t{y} * kCropSide);
  }
  Tensor tensor;
  tensor.dtype = DataType::kFp32;
  tensor.shape = Shape({1, 3, kCropSide, kCropSide});
  tensor.data = std::move(memory).Freeze();
  return tensor;
}

Result<Tensor> DetectorInput(const RequestContent& content, const Workshop& shop) {
  if (content.kind == RequestContent::Kind::kJson) {
    return FloatTensor(content, shop.pool);
  }
  WholeImage image(shop.pool);
  HEADRACE_RETURN_IF_ERROR(DecodeContent(content, shop, image));
  return std::move(image).Take();
}

}  // namespace headrace::handler
