// Windows bitmaps as Pillow reads them.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "image/byte_reader.h"
#include "image/formats.h"
#include "image/indexed_rows.h"

namespace headrace::image {
namespace {

constexpr std::uint32_t kRaw = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3;
constexpr std::size_t kFileHeaderByteSize = 14;
constexpr std::uint32_t kColorCountMax = 65'536;

Status CutShort() { return InvalidArgument("the BMP image is cut short"); }
Status Unsupported(std::string_view what) {
  return InvalidArgument(
      "the BMP image has {}, which is not read here; let a Python worker read it ('native: false' "
      "in model-config.yaml)",
      what);
}

struct Header {
  std::uint32_t width = 0, height = 0;
  bool bottom_up = true;
  std::uint32_t bits = 0, compression = kRaw, color_count = 0;
  std::uint32_t palette_entry_byte_size = 4;
  std::array<std::uint32_t, 4> masks{};  // red, green, blue, alpha; with kBitFields
  std::size_t pixels = 0;                // where they begin
};

// The header after its first word, its own size.
Status ReadInfoHeader(ByteReader& reader, std::uint32_t size, Header& header) {
  const std::size_t begin = reader.position();
  header.width = reader.U32();
  const std::uint32_t height = reader.U32();
  // Negative heights are those of images that begin at the top.
  header.bottom_up = height >> 24 != 0xff;
  header.height = header.bottom_up ? height : 0 - height;
  reader.U16();
  header.bits = reader.U16();
  header.compression = reader.U32();
  reader.Take(12);
  header.color_count = reader.U32();
  reader.U32();
  if (header.compression == kBitFields) {
    // Headers of the smallest size have the masks behind them.
    const std::size_t count = size >= 56 ? 4 : 3;
    for (std::size_t i = 0; i < count; ++i) {
      header.masks[i] = reader.U32();
    }
  }
  if (reader.position() < begin + size - 4) {
    reader.Seek(begin + size - 4);
  }
  return OkStatus();
}

Result<Header> ReadHeader(ByteReader& reader) {
  Header header;
  reader.Take(10);
  header.pixels = reader.U32();
  const std::uint32_t size = reader.U32();
  if (size == 12) {
    header.width = reader.U16();
    header.height = reader.U16();
    reader.U16();
    header.bits = reader.U16();
    header.palette_entry_byte_size = 3;
  } else if (size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124) {
    HEADRACE_RETURN_IF_ERROR(ReadInfoHeader(reader, size, header));
  } else {
    return Unsupported(fmt::format("a header of {} bytes", size));
  }
  if (!reader.ok()) {
    return CutShort();
  }
  if (header.color_count == 0 && header.bits <= 8) {
    header.color_count = 1U << header.bits;
  }
  if (header.bits <= 8 && (header.color_count == 0 || header.color_count > kColorCountMax)) {
    return Unsupported(fmt::format("a palette of {} colours", header.color_count));
  }
  if (header.bits <= 8 && header.pixels == kFileHeaderByteSize + size) {
    header.pixels += std::size_t{header.palette_entry_byte_size} * header.color_count;
  }
  return header;
}

// Colours that are what they would be without a palette make an image of greys in Pillow, whose
// pixels are unpacked in another way; nothing for those that this does not reproduce.
std::optional<Palette> ReadPalette(ByteReader& reader, const Header& header) {
  Palette palette = Palette::Black();
  bool grey = true;
  for (std::size_t i = 0; i < header.color_count && reader.ok(); ++i) {
    const std::uint8_t blue = reader.U8(), green = reader.U8(), red = reader.U8();
    if (header.palette_entry_byte_size == 4) {
      reader.U8();
    }
    const std::size_t own = header.color_count == 2 ? i * 255 : i;
    grey = grey && red == own && green == own && blue == own;
    palette.Set(i, red, green, blue);
  }
  if (!grey) {
    return palette;
  }
  if (header.color_count <= 2) {
    palette.Set(1, 255, 255, 255);
    return header.bits == 1 && header.compression == kRaw ? std::optional(palette) : std::nullopt;
  }
  const bool bytes = header.bits == 8 || header.compression != kRaw;
  return bytes ? std::optional(Palette()) : std::nullopt;
}

std::size_t StrideOf(const Header& header) {
  return ((std::uint64_t{header.width} * header.bits + 31) >> 3) & ~std::uint64_t{3};
}

// The bytes of each row, the first one at the top. Nothing: they are not all there.
class RawRows {
 public:
  RawRows(Bytes data, const Header& header)
      : header_(header),
        stride_(StrideOf(header)),
        row_byte_size_((std::uint64_t{header.width} * header.bits + 7) / 8),
        data_(data.subspan(std::min(header.pixels, data.size()))) {}

  // What follows the last row's pixels may be missing.
  bool complete() const {
    return data_.size() >= stride_ * (header_.height - std::size_t{1}) + row_byte_size_;
  }
  const std::uint8_t* Row(std::size_t y) const {
    const std::size_t at = header_.bottom_up ? header_.height - 1 - y : y;
    return reinterpret_cast<const std::uint8_t*>(data_.data()) + at * stride_;
  }

 private:
  const Header& header_;
  const std::size_t stride_, row_byte_size_;
  const Bytes data_;
};

void UnpackIndexes(const std::uint8_t* from, std::uint32_t bits, std::span<std::uint8_t> indexes) {
  const std::uint32_t per_byte = 8 / bits, mask = (1U << bits) - 1;
  for (std::size_t x = 0; x < indexes.size(); ++x) {
    const auto shift = (per_byte - 1 - x % per_byte) * bits;
    indexes[x] = static_cast<std::uint8_t>(from[x / per_byte] >> shift & mask);
  }
}

// One pixel of 16 bits: five or six for each colour.
void Unpack16(std::uint32_t pixel, bool six_green, std::uint8_t* rgb) {
  const auto scale = [](std::uint32_t value, std::uint32_t most) {
    return static_cast<std::uint8_t>(value * 255 / most);
  };
  rgb[0] = scale(pixel >> (six_green ? 11 : 10) & 31, 31);
  rgb[1] = six_green ? scale(pixel >> 5 & 63, 63) : scale(pixel >> 5 & 31, 31);
  rgb[2] = scale(pixel & 31, 31);
}

// How the pixels of 16, 24 and 32 bits lie; nothing for layouts that Pillow does not have, either.
struct PixelLayout {
  std::size_t red = 2, green = 1, blue = 0;  // bytes of a pixel
  bool six_green = false;                    // of 16 bits
};
std::optional<PixelLayout> LayoutOf(const Header& header) {
  using Masks = std::array<std::uint32_t, 4>;
  if (header.compression != kBitFields) {
    return PixelLayout();
  }
  const Masks& masks = header.masks;
  const auto colors_are = [&](std::uint32_t red, std::uint32_t green, std::uint32_t blue) {
    return masks[0] == red && masks[1] == green && masks[2] == blue;
  };
  if (header.bits == 16) {
    return colors_are(0xf800, 0x7e0, 0x1f)   ? std::optional(PixelLayout{.six_green = true})
           : colors_are(0x7c00, 0x3e0, 0x1f) ? std::optional(PixelLayout())
                                             : std::nullopt;
  }
  if (header.bits == 24) {
    return colors_are(0xff0000, 0xff00, 0xff) ? std::optional(PixelLayout()) : std::nullopt;
  }
  static constexpr std::pair<Masks, PixelLayout> kLayouts[] = {
      {{0xff0000, 0xff00, 0xff, 0}, {2, 1, 0}},
      {{0xff000000, 0xff0000, 0xff00, 0}, {3, 2, 1}},
      {{0xff000000, 0xff00, 0xff, 0}, {3, 1, 0}},
      {{0xff000000, 0xff0000, 0xff00, 0xff}, {3, 2, 1}},
      {{0xff, 0xff00, 0xff0000, 0xff000000}, {0, 1, 2}},
      {{0xff0000, 0xff00, 0xff, 0xff000000}, {2, 1, 0}},
      {{0xff000000, 0xff00, 0xff, 0xff0000}, {3, 1, 0}},
      {{0, 0, 0, 0}, {2, 1, 0}},
  };
  for (const auto& [known, layout] : kLayouts) {
    if (header.bits == 32 && known == masks) {
      return layout;
    }
  }
  return std::nullopt;
}

Status DecodeColors(Bytes data, Header header, ByteReader& reader, RowConsumer& consumer) {
  const std::optional<PixelLayout> layout = LayoutOf(header);
  if (!layout) {
    return Unsupported("colours in an unusual order");
  }
  header.pixels = header.pixels == 0 ? reader.position() : header.pixels;
  const RawRows rows(data, header);
  if (!rows.complete()) {
    return CutShort();
  }
  HEADRACE_RETURN_IF_ERROR(consumer.Begin(header.width, header.height));
  std::vector<std::uint8_t> row(std::size_t{header.width} * 3 + kRowPadding);
  const std::size_t pixel_byte_size = header.bits / 8;
  for (std::size_t y = 0; y < header.height; ++y) {
    const std::uint8_t* from = rows.Row(y);
    std::uint8_t* rgb = row.data();
    for (std::uint32_t x = 0; x < header.width; ++x, from += pixel_byte_size, rgb += 3) {
      if (pixel_byte_size == 2) {
        Unpack16(from[0] | std::uint32_t{from[1]} << 8, layout->six_green, rgb);
      } else {
        rgb[0] = from[layout->red];
        rgb[1] = from[layout->green];
        rgb[2] = from[layout->blue];
      }
    }
    consumer.Row(row.data());
  }
  return OkStatus();
}

// Runs of indexes. False: there are fewer than pixels.
class RunDecoder {
 public:
  RunDecoder(const Header& header, ByteReader& reader, std::span<std::uint8_t> indexes)
      : four_bits_(header.compression == kRle4),
        width_(header.width),
        reader_(reader),
        indexes_(indexes) {}

  bool Decode() {
    while (size_ < indexes_.size()) {
      const std::uint8_t count = reader_.U8(), value = reader_.U8();
      if (!reader_.ok()) {
        return false;
      }
      if (count > 0) {
        Run(count, value);
      } else if (value == 0) {
        Put(0, (width_ - size_ % width_) % width_);
        column_ = 0;
      } else if (value == 1) {
        return false;  // the end
      } else if (value == 2) {
        const std::size_t right = reader_.U8(), up = reader_.U8();
        Put(0, right + up * width_);
        column_ = size_ % width_;
      } else if (!Plain(value)) {
        return size_ == indexes_.size();
      }
    }
    return true;
  }

 private:
  void Put(std::uint8_t index, std::size_t count) {
    const std::size_t end = std::min(indexes_.size(), size_ + count);
    std::fill(indexes_.begin() + static_cast<std::ptrdiff_t>(size_),
              indexes_.begin() + static_cast<std::ptrdiff_t>(end), index);
    size_ = end;
  }
  // What does not fit into the row is dropped.
  void Run(std::size_t count, std::uint8_t value) {
    count = std::min(count, width_ - std::min(column_, width_));
    for (std::size_t i = 0; i < count && four_bits_; ++i) {
      Put(i % 2 == 0 ? value >> 4 : value & 15, 1);
    }
    if (!four_bits_) {
      Put(value, count);
    }
    column_ += count;
  }
  // False at the end of the data, or of the image.
  bool Plain(std::size_t count) {
    const std::size_t wanted = std::min(count, indexes_.size() - size_);
    const std::size_t byte_count = four_bits_ ? (wanted + 1) / 2 : wanted;
    const auto bytes = reader_.Take(byte_count);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const auto value = std::to_integer<std::uint8_t>(bytes[i]);
      Put(four_bits_ ? value >> 4 : value, 1);
      if (four_bits_ && i * 2 + 1 < wanted) {
        Put(value & 15, 1);
      }
    }
    if (bytes.size() < byte_count || size_ == indexes_.size()) {
      return false;
    }
    column_ += count;
    if (reader_.position() % 2 != 0) {  // of the file, as in Pillow
      reader_.Take(1);
    }
    return true;
  }

  const bool four_bits_;
  const std::size_t width_;
  ByteReader& reader_;
  const std::span<std::uint8_t> indexes_;
  std::size_t size_ = 0, column_ = 0;
};

Status DecodeIndexed(Bytes data, Header header, const DecodeOptions& options, ByteReader& reader,
                     RowConsumer& consumer) {
  const std::optional<Palette> palette = ReadPalette(reader, header);
  if (!reader.ok()) {
    return CutShort();
  }
  if (!palette) {
    return Unsupported("a palette of greys in an unusual form");
  }
  header.pixels = header.pixels == 0 ? reader.position() : header.pixels;
  if (header.compression == kRaw) {
    const RawRows rows(data, header);
    if (!rows.complete()) {
      return CutShort();
    }
    HEADRACE_RETURN_IF_ERROR(consumer.Begin(header.width, header.height));
    std::vector<std::uint8_t> indexes(header.width),
        row(std::size_t{header.width} * 3 + kRowPadding);
    for (std::size_t y = 0; y < header.height; ++y) {
      UnpackIndexes(rows.Row(y), header.bits, indexes);
      palette->Expand(indexes, row.data());
      consumer.Row(row.data());
    }
    return OkStatus();
  }
  const std::size_t pixel_count = std::size_t{header.width} * header.height;
  HEADRACE_ASSIGN_OR_RETURN(const MemoryCharge charge, MemoryCharge::Take(options, pixel_count));
  std::vector<std::uint8_t> indexes(pixel_count);
  reader.Seek(header.pixels);
  if (!RunDecoder(header, reader, indexes).Decode()) {
    return CutShort();
  }
  HEADRACE_RETURN_IF_ERROR(consumer.Begin(header.width, header.height));
  GiveRows(indexes, header.width, header.bottom_up, *palette, consumer);
  return OkStatus();
}

}  // namespace

Status DecodeBmp(Bytes data, const DecodeOptions& options, RowConsumer& consumer) {
  ByteReader reader(data);
  HEADRACE_ASSIGN_OR_RETURN(const Header header, ReadHeader(reader));
  HEADRACE_RETURN_IF_ERROR(CheckDimensions(header.width, header.height, options));
  const bool indexed = header.bits == 1 || header.bits == 4 || header.bits == 8;
  if (!indexed && header.bits != 16 && header.bits != 24 && header.bits != 32) {
    return Unsupported(fmt::format("pixels of {} bits", header.bits));
  }
  const bool runs = header.compression == kRle8 || header.compression == kRle4;
  if (header.compression != kRaw && !(indexed ? runs : header.compression == kBitFields)) {
    return Unsupported(fmt::format("compression {} with {} bits", header.compression, header.bits));
  }
  return indexed ? DecodeIndexed(data, header, options, reader, consumer)
                 : DecodeColors(data, header, reader, consumer);
}

}  // namespace headrace::image
