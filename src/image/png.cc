#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "image/formats.h"

namespace headrace::image {
namespace {

// What has no say in the pixels is not even unpacked.
constexpr png_byte kIgnoredChunks[] =
    "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0tIME"
    "\0tRNS\0zTXt";
constexpr int kIgnoredChunkCount = sizeof kIgnoredChunks / 5;

// Of libpng's calls each is left by longjmp when it fails; see jpeg.cc.
class PngReader {
 public:
  enum class Pixels { kRgb, kIndexes, kGray16 };

  explicit PngReader(Bytes data) : data_(data) {}
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  bool ReadHeader() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &OnError,
                                  [](png_structp, png_const_charp) {});
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr || setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    png_set_read_fn(png_, this, &OnRead);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kIgnoredChunks, kIgnoredChunkCount);
    png_read_info(png_, info_);
    return true;
  }

  // Chooses the transformations; then rows have row_byte_size().
  bool Start() {
    if (setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    const int color = png_get_color_type(png_, info_);
    const int depth = png_get_bit_depth(png_, info_);
    if (color == PNG_COLOR_TYPE_PALETTE) {
      pixels_ = Pixels::kIndexes;
      png_set_packing(png_);
    } else if (color == PNG_COLOR_TYPE_GRAY && depth == 16) {
      pixels_ = Pixels::kGray16;
    } else {
      if (color == PNG_COLOR_TYPE_GRAY && depth < 8) {
        png_set_expand_gray_1_2_4_to_8(png_);
      }
      png_set_strip_16(png_);
      png_set_strip_alpha(png_);
      png_set_gray_to_rgb(png_);
    }
    (void)png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    return true;
  }

  bool ReadRow(std::uint8_t* row) {
    if (setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    png_read_row(png_, row, nullptr);
    return true;
  }

  bool ReadImage(std::uint8_t** rows) {
    if (setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    png_read_image(png_, rows);
    return true;
  }

  std::uint32_t width() const { return png_get_image_width(png_, info_); }
  std::uint32_t height() const { return png_get_image_height(png_, info_); }
  bool interlaced() const { return png_get_interlace_type(png_, info_) != PNG_INTERLACE_NONE; }
  std::size_t row_byte_size() const { return png_get_rowbytes(png_, info_); }
  Pixels pixels() const { return pixels_; }

  // Indexes beyond the palette are shades of grey, as in Pillow.
  std::array<std::uint8_t, 768> Palette() const {
    std::array<std::uint8_t, 768> palette{};
    for (std::size_t i = 0; i < palette.size(); ++i) {
      palette[i] = static_cast<std::uint8_t>(i / 3);
    }
    png_colorp colors = nullptr;
    int count = 0;
    if (png_get_PLTE(png_, info_, &colors, &count) != 0) {
      for (int i = 0; i < count && i < 256; ++i) {
        const auto at = static_cast<std::size_t>(i) * 3;
        palette[at] = colors[i].red;
        palette[at + 1] = colors[i].green;
        palette[at + 2] = colors[i].blue;
      }
    }
    return palette;
  }

  Status Fault() const {
    return cut_short_ ? InvalidArgument("the PNG image is cut short")
                      : InvalidArgument("the PNG image is damaged: {}", message_.data());
  }

 private:
  [[noreturn]] static void OnError(png_structp png, png_const_charp message) {
    auto& self = *static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(self.message_.data(), message, self.message_.size() - 1);
    png_longjmp(png, 1);
  }
  static void OnRead(png_structp png, png_bytep out, std::size_t byte_size) {
    auto& self = *static_cast<PngReader*>(png_get_io_ptr(png));
    if (byte_size > self.data_.size()) {
      self.cut_short_ = true;
      png_longjmp(png, 1);
    }
    std::memcpy(out, self.data_.data(), byte_size);
    self.data_ = self.data_.subspan(byte_size);
  }

  Bytes data_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  Pixels pixels_ = Pixels::kRgb;
  std::array<char, 128> message_{};
  bool cut_short_ = false;
};

// Gives rows of any kind to the consumer as RGB.
class RowConverter {
 public:
  RowConverter(const PngReader& reader, RowConsumer& consumer)
      : pixels_(reader.pixels()),
        width_(reader.width()),
        palette_(reader.Palette()),
        row_(pixels_ == PngReader::Pixels::kRgb ? 0 : width_ * 3 + kRowPadding),
        consumer_(consumer) {}

  void Give(const std::uint8_t* row) {
    switch (pixels_) {
      case PngReader::Pixels::kRgb:
        consumer_.Row(row);
        return;
      case PngReader::Pixels::kIndexes:
        for (std::size_t x = 0; x < width_; ++x) {
          std::memcpy(&row_[x * 3], &palette_[std::size_t{row[x]} * 3], 3);
        }
        break;
      case PngReader::Pixels::kGray16:
        // Pillow keeps 16 bits, and cuts what is above 255 when it converts.
        for (std::size_t x = 0; x < width_; ++x) {
          std::memset(&row_[x * 3], row[2 * x] != 0 ? 255 : row[2 * x + 1], 3);
        }
        break;
    }
    consumer_.Row(row_.data());
  }

 private:
  const PngReader::Pixels pixels_;
  const std::size_t width_;
  const std::array<std::uint8_t, 768> palette_;
  std::vector<std::uint8_t> row_;
  RowConsumer& consumer_;
};

Status ReadWhole(PngReader& reader, const DecodeOptions& options, RowConverter& rows) {
  const std::size_t stride = reader.row_byte_size();
  const std::uint64_t byte_size = std::uint64_t{stride} * reader.height() + kRowPadding;
  HEADRACE_ASSIGN_OR_RETURN(const MemoryCharge charge, MemoryCharge::Take(options, byte_size));
  const auto image = std::make_unique_for_overwrite<std::uint8_t[]>(byte_size);
  std::vector<std::uint8_t*> pointers(reader.height());
  for (std::size_t y = 0; y < pointers.size(); ++y) {
    pointers[y] = image.get() + y * stride;
  }
  if (!reader.ReadImage(pointers.data())) {
    return reader.Fault();
  }
  for (const std::uint8_t* row : pointers) {
    rows.Give(row);
  }
  return OkStatus();
}

}  // namespace

Status DecodePng(Bytes data, const DecodeOptions& options, RowConsumer& consumer) {
  PngReader reader(data);
  if (!reader.ReadHeader()) {
    return reader.Fault();
  }
  HEADRACE_RETURN_IF_ERROR(CheckDimensions(reader.width(), reader.height(), options));
  if (!reader.Start()) {
    return reader.Fault();
  }
  HEADRACE_RETURN_IF_ERROR(consumer.Begin(reader.width(), reader.height()));
  RowConverter rows(reader, consumer);
  if (reader.interlaced()) {
    return ReadWhole(reader, options, rows);
  }
  std::vector<std::uint8_t> row(reader.row_byte_size() + kRowPadding);
  for (std::uint32_t y = 0; y < reader.height(); ++y) {
    if (!reader.ReadRow(row.data())) {
      return reader.Fault();
    }
    rows.Give(row.data());
  }
  return OkStatus();
}

}  // namespace headrace::image
