#include "image/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace headrace::image {
namespace {

using testing::HasSubstr;

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class Rows final : public RowConsumer {
 public:
  Status Begin(std::uint32_t new_width, std::uint32_t new_height) override {
    width = new_width;
    height = new_height;
    return OkStatus();
  }
  void Row(const std::uint8_t* rgb) override {
    pixels.append(reinterpret_cast<const char*>(rgb), width * 3);
  }

  std::uint32_t width = 0, height = 0;
  std::string pixels;
};

// A gradient, RGB.
std::vector<std::uint8_t> Pixels(std::size_t width, std::size_t height) {
  std::vector<std::uint8_t> pixels;
  for (std::size_t i = 0; i < width * height; ++i) {
    pixels.push_back(static_cast<std::uint8_t>(i % width * 255 / width));
    pixels.push_back(static_cast<std::uint8_t>(i / width * 255 / height));
    pixels.push_back(static_cast<std::uint8_t>(i));
  }
  return pixels;
}

std::string Jpeg(std::size_t width, std::size_t height, bool progressive) {
  std::vector<std::uint8_t> pixels = Pixels(width, height);
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  if (progressive) {
    jpeg_simple_progression(&info);
  }
  jpeg_start_compress(&info, TRUE);
  for (std::size_t y = 0; y < height; ++y) {
    JSAMPROW row = &pixels[y * width * 3];
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string made(reinterpret_cast<char*>(memory), size);
  std::free(memory);
  return made;
}

struct PngForm {
  int color = PNG_COLOR_TYPE_RGB, depth = 8, interlace = PNG_INTERLACE_NONE;
};

std::string Png(std::uint32_t width, std::uint32_t height, PngForm form = {}) {
  std::string made;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_set_write_fn(
      png, &made,
      [](png_structp writer, png_bytep data, std::size_t size) {
        static_cast<std::string*>(png_get_io_ptr(writer))
            ->append(reinterpret_cast<char*>(data), size);
      },
      nullptr);
  png_set_IHDR(png, info, width, height, form.depth, form.color, form.interlace,
               PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
  const png_color palette[] = {{1, 2, 3}, {4, 5, 6}};
  if (form.color == PNG_COLOR_TYPE_PALETTE) {
    png_set_PLTE(png, info, palette, 2);
  }
  png_write_info(png, info);
  std::vector<std::uint8_t> pixels = Pixels(width, height);
  pixels.resize(png_get_rowbytes(png, info) * height);
  if (form.color == PNG_COLOR_TYPE_PALETTE) {
    for (std::uint8_t& index : pixels) {
      index &= 1;
    }
  }
  std::vector<std::uint8_t*> rows;
  for (std::uint32_t y = 0; y < height; ++y) {
    rows.push_back(&pixels[y * png_get_rowbytes(png, info)]);
  }
  png_write_image(png, rows.data());
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return made;
}

std::string Webp(int width, int height) {
  const std::vector<std::uint8_t> pixels =
      Pixels(static_cast<std::size_t>(width), static_cast<std::size_t>(height));
  std::uint8_t* memory = nullptr;
  const std::size_t size = WebPEncodeLosslessRGB(pixels.data(), width, height, width * 3, &memory);
  std::string made(reinterpret_cast<char*>(memory), size);
  WebPFree(memory);
  return made;
}

void AppendNumber(std::uint32_t value, std::size_t byte_size, std::string& out) {
  for (std::size_t i = 0; i < byte_size; ++i) {
    out += static_cast<char>(value >> (8 * i));
  }
}

// Colours of indexed images: index -> (index, 255 - index, index / 2).
std::string ColorOf(std::uint8_t index) {
  return {static_cast<char>(index), static_cast<char>(255 - index), static_cast<char>(index / 2)};
}

// Pixel number i has the index i & 255; each is a code of its own.
std::string Gif(std::uint32_t width, std::uint32_t height, bool interlaced,
                std::uint32_t left = 0) {
  std::string made = "GIF89a";
  AppendNumber(width + left, 2, made);
  AppendNumber(height, 2, made);
  made += std::string("\xf7\0\0", 3);
  for (int i = 0; i < 256; ++i) {
    made += ColorOf(static_cast<std::uint8_t>(i));
  }
  made += std::string("!\xf9\x04\x01\0\0\x07\0", 8) + "!\xfe\x02hi" + '\0' + ',';
  AppendNumber(left, 2, made);
  AppendNumber(0, 2, made);
  AppendNumber(width, 2, made);
  AppendNumber(height, 2, made);
  made += interlaced ? '\x40' : '\0';
  made += '\x08';
  std::vector<std::uint32_t> order;  // of the rows
  for (const auto& [first, step] :
       interlaced
           ? std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0, 8}, {4, 8}, {2, 4}, {1, 2}}
           : std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0, 1}}) {
    for (std::uint32_t y = first; y < height; y += step) {
      order.push_back(y);
    }
  }
  std::string codes;
  std::uint32_t bits = 0, bit_count = 0, since_clear = 200;
  const auto put = [&](std::uint32_t code) {
    bits |= code << bit_count;
    for (bit_count += 9; bit_count >= 8; bit_count -= 8, bits >>= 8) {
      codes += static_cast<char>(bits);
    }
  };
  for (const std::uint32_t y : order) {
    for (std::uint32_t x = 0; x < width; ++x) {
      if (since_clear++ >= 200) {
        put(256);
        since_clear = 1;
      }
      put((y * width + x) & 255);
    }
  }
  put(257);
  codes += static_cast<char>(bits);
  for (std::size_t at = 0; at < codes.size(); at += 255) {
    const std::string block = codes.substr(at, 255);
    made += static_cast<char>(block.size());
    made += block;
  }
  return made + std::string("\0;", 2);
}

enum class BmpForm { kColors, kIndexes, kRuns, kTopDown };

std::string Bmp(std::uint32_t width, std::uint32_t height, BmpForm form) {
  const bool indexed = form == BmpForm::kIndexes || form == BmpForm::kRuns;
  const std::uint32_t palette_byte_size = indexed ? 1024 : 0;
  std::string made = "BM" + std::string(8, '\0');
  AppendNumber(54 + palette_byte_size, 4, made);
  AppendNumber(40, 4, made);
  AppendNumber(width, 4, made);
  AppendNumber(form == BmpForm::kTopDown ? 0 - height : height, 4, made);
  AppendNumber(1, 2, made);
  AppendNumber(indexed ? 8 : 24, 2, made);
  AppendNumber(form == BmpForm::kRuns ? 1 : 0, 4, made);
  made += std::string(20, '\0');
  for (int i = 0; indexed && i < 256; ++i) {
    const std::string rgb = ColorOf(static_cast<std::uint8_t>(i));
    made += {rgb[2], rgb[1], rgb[0], '\0'};
  }
  const std::vector<std::uint8_t> pixels = Pixels(width, height);
  for (std::uint32_t row = 0; row < height; ++row) {
    const std::uint32_t y = form == BmpForm::kTopDown ? row : height - 1 - row;
    for (std::uint32_t x = 0; x < width; ++x) {
      const std::size_t i = std::size_t{y} * width + x;
      if (form == BmpForm::kRuns) {
        made += {'\1', static_cast<char>(i)};
      } else if (indexed) {
        made += static_cast<char>(i);
      } else {
        made += {static_cast<char>(pixels[i * 3 + 2]), static_cast<char>(pixels[i * 3 + 1]),
                 static_cast<char>(pixels[i * 3])};
      }
    }
    if (form == BmpForm::kRuns) {
      made += std::string(2, '\0');
    }
    while (form != BmpForm::kRuns && made.size() % 4 != (54 + palette_byte_size) % 4) {
      made += '\0';
    }
  }
  return made;
}

std::vector<std::string> IndexedFormats() {
  return {Gif(40, 30, false), Gif(40, 30, true), Bmp(40, 30, BmpForm::kIndexes),
          Bmp(40, 30, BmpForm::kRuns)};
}

std::vector<std::string> AllFormats() {
  return {Jpeg(40, 30, false),
          Jpeg(40, 30, true),
          Png(40, 30),
          Png(40, 30, {.interlace = PNG_INTERLACE_ADAM7}),
          Png(40, 30, {.color = PNG_COLOR_TYPE_PALETTE}),
          Png(40, 30, {.color = PNG_COLOR_TYPE_GRAY, .depth = 16}),
          Png(40, 30, {.color = PNG_COLOR_TYPE_RGB_ALPHA, .depth = 16}),
          Png(40, 30, {.color = PNG_COLOR_TYPE_GRAY, .depth = 2}),
          Webp(40, 30),
          Gif(40, 30, false),
          Gif(40, 30, true),
          Bmp(40, 30, BmpForm::kColors),
          Bmp(40, 30, BmpForm::kTopDown),
          Bmp(40, 30, BmpForm::kIndexes),
          Bmp(40, 30, BmpForm::kRuns)};
}

TEST(DecodeTest, Decode_GivesThePixelsOfLosslessImages) {
  const std::vector<std::uint8_t> expected = Pixels(40, 30);
  for (const std::string& data :
       {Png(40, 30), Png(40, 30, {.interlace = PNG_INTERLACE_ADAM7}), Webp(40, 30),
        Bmp(40, 30, BmpForm::kColors), Bmp(40, 30, BmpForm::kTopDown)}) {
    Rows rows;
    ASSERT_TRUE(Decode(BytesOf(data), {}, rows).ok());
    EXPECT_EQ(rows.width, 40u);
    EXPECT_EQ(rows.height, 30u);
    EXPECT_EQ(rows.pixels, std::string(expected.begin(), expected.end()));
  }
}

TEST(DecodeTest, Decode_TakesColoursFromThePalette) {
  Rows rows;
  ASSERT_TRUE(Decode(BytesOf(Png(40, 30, {.color = PNG_COLOR_TYPE_PALETTE})), {}, rows).ok());
  EXPECT_EQ(rows.pixels.size(), 40u * 30 * 3);
  EXPECT_EQ(rows.pixels.find_first_not_of("\1\2\3\4\5\6"), std::string::npos);
}

TEST(DecodeTest, Decode_GivesTheColoursOfIndexes) {
  std::string expected;
  for (std::size_t i = 0; i < 40 * 30; ++i) {
    expected += ColorOf(static_cast<std::uint8_t>(i));
  }
  for (const std::string& data : IndexedFormats()) {
    Rows rows;
    const Status status = Decode(BytesOf(data), {}, rows);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(rows.width, 40u);
    EXPECT_EQ(rows.height, 30u);
    EXPECT_EQ(rows.pixels, expected);
  }
}

TEST(DecodeTest, Decode_PutsAnImageOnItsScreen) {
  Rows rows;
  ASSERT_TRUE(Decode(BytesOf(Gif(40, 30, false, 2)), {}, rows).ok());
  EXPECT_EQ(rows.width, 42u);
  // Left of it is the transparent colour, number 7.
  EXPECT_EQ(rows.pixels.substr(0, 9), ColorOf(7) + ColorOf(7) + ColorOf(0));
}

// Strings are built from their ends, and may be as long as the image.
TEST(DecodeTest, Decode_TakesCodesOfLongStrings) {
  // 64 x 64 pixels of index 1: clear, 1, 258, 259, ... each a pixel longer than the one before.
  std::string made = std::string("GIF87a\x40\0\x40\0\0\0\0,\0\0\0\0\x40\0\x40\0\0\x08", 24);
  std::string codes;
  std::uint32_t bits = 0, bit_count = 0, width = 9;
  const auto put = [&](std::uint32_t code) {
    bits |= code << bit_count;
    for (bit_count += width; bit_count >= 8; bit_count -= 8, bits >>= 8) {
      codes += static_cast<char>(bits);
    }
  };
  put(256);
  put(1);
  for (std::uint32_t code = 258, pixels = 1; pixels < 64 * 64; pixels += code - 256, ++code) {
    put(code);
  }
  codes += static_cast<char>(bits);
  made += static_cast<char>(codes.size());
  made += codes + std::string("\0;", 2);
  Rows rows;
  const Status status = Decode(BytesOf(made), {}, rows);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(rows.pixels, std::string(64 * 64 * 3, '\1'));
  // A code that nobody has named yet.
  std::string wrong = made;
  wrong[26] = '\x0e';
  EXPECT_FALSE(Decode(BytesOf(wrong), {}, rows).ok());
}

TEST(DecodeTest, Decode_RefusesWhatIsCutShort) {
  for (const std::string& data : AllFormats()) {
    Rows rows;
    ASSERT_TRUE(Decode(BytesOf(data), {}, rows).ok());
    for (std::size_t size = 0; size + 20 < data.size(); size += 1 + size / 40) {
      Rows cut;
      EXPECT_FALSE(Decode(BytesOf(data.substr(0, size)), {}, cut).ok()) << size;
    }
  }
  Rows rows;
  EXPECT_THAT(Decode(BytesOf(Jpeg(40, 30, false).substr(0, 500)), {}, rows).message(),
              HasSubstr("the JPEG image is cut short"));
  EXPECT_THAT(Decode({}, {}, rows).message(), HasSubstr("cannot identify the image"));
}

TEST(DecodeTest, Decode_SurvivesDamage) {
  std::mt19937 random(11);
  for (const std::string& data : AllFormats()) {
    for (int round = 0; round < 300; ++round) {
      std::string damaged = data;
      for (unsigned i = 0; i < 1 + random() % 8; ++i) {
        damaged[random() % damaged.size()] = static_cast<char>(random());
      }
      Rows rows;
      const Status status = Decode(BytesOf(damaged), {.pixel_count_max = 1'000'000}, rows);
      if (status.ok()) {
        EXPECT_EQ(rows.pixels.size(), std::size_t{rows.width} * rows.height * 3);
      }
    }
  }
}

TEST(DecodeTest, Decode_HoldsItsLimits) {
  for (const std::string& data : AllFormats()) {
    Rows rows;
    EXPECT_TRUE(Decode(BytesOf(data), {.pixel_count_max = 1200}, rows).ok());
    Rows refused;
    const Status status = Decode(BytesOf(data), {.pixel_count_max = 1199}, refused);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("40 x 30 pixels, the limit is 1199"));
    EXPECT_EQ(refused.width, 0u);
  }
  for (const std::string& data :
       {Jpeg(40, 30, true), Png(40, 30, {.interlace = PNG_INTERLACE_ADAM7}), Webp(40, 30),
        Gif(40, 30, false), Bmp(40, 30, BmpForm::kRuns)}) {
    MemoryBudget budget(1000);
    Rows rows;
    EXPECT_EQ(Decode(BytesOf(data), {.budget = &budget}, rows).code(),
              StatusCode::kResourceExhausted);
    EXPECT_EQ(budget.used(), 0u);
    MemoryBudget enough(100'000);
    EXPECT_TRUE(Decode(BytesOf(data), {.budget = &enough}, rows).ok());
    EXPECT_EQ(enough.used(), 0u);
  }
}

}  // namespace
}  // namespace headrace::image
