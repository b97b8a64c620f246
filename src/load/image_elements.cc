#include "load/image_elements.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "image/decode.h"
#include "image/resize.h"
#include "load/half.h"
#include "tensor/bytes_codec.h"

namespace headrace::load {
namespace {

using image::ResampleWeights;

constexpr std::uint64_t kPixelCountMax = std::uint64_t{1} << 26;
constexpr std::array<float, 3> kMean = {0.485F, 0.456F, 0.406F};
constexpr std::array<float, 3> kDeviation = {0.229F, 0.224F, 0.225F};

// Where height, width and channels are among an input's dimensions.
struct Layout {
  std::size_t height = 0, width = 0, channels = 0;
};

std::optional<Layout> FindLayout(std::span<const std::int64_t> dims) {
  const std::size_t front = dims.size() < 3 ? 0 : dims.size() - 3;
  const bool ones = std::all_of(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(front),
                                [](std::int64_t dim) { return dim == 1 || dim == -1; });
  const auto is_channels = [](std::int64_t dim) { return dim == 3 || dim == 1; };
  if (dims.size() < 3 || !ones) {
    return std::nullopt;
  }
  if (is_channels(dims[front])) {
    return Layout{front + 1, front + 2, front};
  }
  if (is_channels(dims[front + 2])) {
    return Layout{front, front + 1, front + 2};
  }
  return std::nullopt;
}

std::uint8_t Rounded(std::int64_t sum) {
  return static_cast<std::uint8_t>(
      std::clamp<std::int64_t>(sum >> ResampleWeights::kPrecisionBits, 0, 255));
}

// An image at a height and width of its own choice; 0 = the image's.
class Resized final : public image::RowConsumer {
 public:
  Resized(std::uint32_t height, std::uint32_t width) : height_(height), width_(width) {}

  Status Begin(std::uint32_t width, std::uint32_t height) override {
    height_ = height_ == 0 ? height : height_;
    width_ = width_ == 0 ? width : width_;
    columns_ = ResampleWeights::Bilinear(width, width_, 0, width_);
    rows_ = ResampleWeights::Bilinear(height, height_, 0, height_);
    if (std::uint64_t{height} * width_ > kPixelCountMax ||
        std::uint64_t{height_} * width_ > kPixelCountMax) {
      return InvalidArgument("the image becomes too large");
    }
    narrowed_.reserve(std::size_t{height} * width_ * 3);
    return OkStatus();
  }
  void Row(const std::uint8_t* rgb) override {
    for (const auto& window : columns_.windows) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        std::int64_t sum = std::int64_t{1} << (ResampleWeights::kPrecisionBits - 1);
        for (std::uint32_t i = 0; i < window.count; ++i) {
          sum += std::int64_t{rgb[(std::size_t{window.begin} + i) * 3 + channel]} *
                 columns_.weights[window.weight + i];
        }
        narrowed_.push_back(Rounded(sum));
      }
    }
  }
  // Requires all rows. height() * width() * 3 bytes.
  std::vector<std::uint8_t> Pixels() const {
    std::vector<std::uint8_t> out;
    const std::size_t stride = std::size_t{width_} * 3;
    out.reserve(height_ * stride);
    for (const auto& window : rows_.windows) {
      for (std::size_t at = 0; at < stride; ++at) {
        std::int64_t sum = std::int64_t{1} << (ResampleWeights::kPrecisionBits - 1);
        for (std::uint32_t i = 0; i < window.count; ++i) {
          sum += std::int64_t{narrowed_[(std::size_t{window.begin} + i) * stride + at]} *
                 rows_.weights[window.weight + i];
        }
        out.push_back(Rounded(sum));
      }
    }
    return out;
  }
  std::uint32_t height() const { return height_; }
  std::uint32_t width() const { return width_; }

 private:
  std::uint32_t height_, width_;
  ResampleWeights columns_, rows_;
  std::vector<std::uint8_t> narrowed_;  // rows of the input's height, already as wide as the output
};

float Scaled(std::uint8_t pixel, std::size_t channel, PixelScaling scaling) {
  const float unit = static_cast<float>(pixel) / 255.0F;
  switch (scaling) {
    case PixelScaling::kNone:
      return pixel;
    case PixelScaling::kInception:
      return unit * 2 - 1;
    case PixelScaling::kImageNet:
      return (unit - kMean[channel]) / kDeviation[channel];
    case PixelScaling::kUnit:
      break;
  }
  return unit;
}

template <typename T>
void Append(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void AppendPixel(std::uint8_t pixel, std::size_t channel, DataType data_type, PixelScaling scaling,
                 std::string& out) {
  switch (data_type) {
    case DataType::kFp32:
      return Append(Scaled(pixel, channel, scaling), out);
    case DataType::kFp64:
      return Append(static_cast<double>(Scaled(pixel, channel, scaling)), out);
    case DataType::kFp16:
      return Append(ToFp16(Scaled(pixel, channel, scaling)), out);
    case DataType::kBf16:
      return Append(ToBf16(Scaled(pixel, channel, scaling)), out);
    case DataType::kInt16:
    case DataType::kUint16:
      return Append(std::uint16_t{pixel}, out);
    case DataType::kInt32:
    case DataType::kUint32:
      return Append(std::uint32_t{pixel}, out);
    case DataType::kInt64:
    case DataType::kUint64:
      return Append(std::uint64_t{pixel}, out);
    default:
      return Append(pixel, out);
  }
}

// ITU-R 601, as Pillow's convert("L").
std::uint8_t Grey(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >>
                                   16);
}

}  // namespace

Result<ImageElements> ReadImage(std::string_view file, const TensorSignature& input,
                                PixelScaling scaling, const std::string& where) {
  ImageElements out;
  if (input.data_type == DataType::kBytes) {
    out.dims.assign(input.dims.size(), 1);
    AppendBytesElement(out.bytes, file);
    if (!Fits(out.dims, input.dims)) {
      return InvalidArgument("{}: input '{}' takes {} BYTES elements, and an image is one", where,
                             input.name, DimsText(input.dims));
    }
    return out;
  }
  const auto layout = FindLayout(input.dims);
  if (!layout || input.data_type == DataType::kBool || input.data_type == DataType::kInt8) {
    return InvalidArgument(
        "{}: input '{}' {} {} is no image: [C,H,W] or [H,W,C] with 1 or 3 channels is wanted, of "
        "floating point, unsigned or wide integers; or BYTES",
        where, input.name, DataTypeName(input.data_type), DimsText(input.dims));
  }
  const auto side = [&](std::size_t dim) {
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(input.dims[dim], 0, std::int64_t{kPixelCountMax} + 1));
  };
  Resized pixels_of(side(layout->height), side(layout->width));
  image::DecodeOptions options;
  options.pixel_count_max = kPixelCountMax;
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(file.data()),
                                         file.size());
  if (const Status status = image::Decode(bytes, options, pixels_of); !status.ok()) {
    return status.WithPrefix(where + ": ");
  }
  const std::vector<std::uint8_t> pixels = pixels_of.Pixels();
  const std::size_t channels = input.dims[layout->channels] == 1 ? 1 : 3;
  const std::size_t count = std::size_t{pixels_of.height()} * pixels_of.width();
  const auto value = [&](std::size_t pixel, std::size_t channel) {
    return channels == 1 ? Grey(&pixels[pixel * 3]) : pixels[pixel * 3 + channel];
  };
  const bool planes = layout->channels < layout->height;
  for (std::size_t outer = 0; outer < (planes ? channels : count); ++outer) {
    for (std::size_t inner = 0; inner < (planes ? count : channels); ++inner) {
      const std::size_t channel = planes ? outer : inner;
      AppendPixel(value(planes ? inner : outer, channel), channel, input.data_type, scaling,
                  out.bytes);
    }
  }
  out.dims.assign(input.dims.size(), 1);
  out.dims[layout->height] = pixels_of.height();
  out.dims[layout->width] = pixels_of.width();
  out.dims[layout->channels] = static_cast<std::int64_t>(channels);
  return out;
}

}  // namespace headrace::load
