#include "image/resize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "image/tensor_writer.h"

namespace headrace::image {
namespace {

using testing::ElementsAre;

// One channel's values of the crop's first row, for an image whose rows are all alike.
std::vector<int> FirstRow(const std::vector<int>& row, std::uint32_t height, std::uint32_t shorter,
                          std::uint32_t crop) {
  ResizeAndCrop resize(shorter, crop);
  EXPECT_TRUE(resize.Begin(static_cast<std::uint32_t>(row.size()), height).ok());
  std::vector<std::uint8_t> rgb(row.size() * 3 + kRowPadding);
  for (std::size_t x = 0; x < row.size(); ++x) {
    std::fill_n(&rgb[x * 3], 3, static_cast<std::uint8_t>(row[x]));
  }
  for (std::uint32_t y = 0; y < height; ++y) {
    resize.Row(rgb.data());
  }
  std::vector<std::uint8_t> out(std::size_t{crop} * 3);
  resize.ReadRow(0, out);
  std::vector<int> values;
  for (std::size_t x = 0; x < crop; ++x) {
    values.push_back(out[x * 3 + 1]);
  }
  return values;
}

// What Pillow 13 makes of these: Image.resize((4, 4), BILINEAR).
TEST(ResizeTest, ResizeAndCrop_RoundsAsPillowDoes) {
  EXPECT_THAT(FirstRow({0, 10, 200, 255, 30, 90, 7, 255}, 8, 4, 4), ElementsAre(33, 176, 78, 125));
  EXPECT_THAT(FirstRow({0, 255}, 2, 4, 4), ElementsAre(0, 64, 191, 255));
  EXPECT_THAT(FirstRow({1, 2, 3, 4}, 4, 4, 2), ElementsAre(2, 3));
}

TEST(ResizeTest, ResizeAndCrop_TakesTheMiddle) {
  // 8 x 4 to 8 x 4, then columns 2 to 5.
  EXPECT_THAT(FirstRow({0, 1, 2, 3, 4, 5, 6, 7}, 4, 4, 4), ElementsAre(2, 3, 4, 5));
  // 7 x 4: (7 - 4) / 2 is 1.5, which Python rounds to 2.
  EXPECT_THAT(FirstRow({0, 1, 2, 3, 4, 5, 6}, 4, 4, 4), ElementsAre(2, 3, 4, 5));
}

TEST(ResizeTest, ResizeAndCrop_KeepsLittleOfAnImageOfExtremeShape) {
  std::vector<int> row(100'000, 7);
  EXPECT_THAT(FirstRow(row, 1, 256, 2), ElementsAre(7, 7));
  EXPECT_THAT(FirstRow({9}, 100'000, 256, 3), ElementsAre(9, 9, 9));
}

TEST(ResizeTest, Weights_AddUpToOne) {
  for (const std::uint32_t size : {1u, 2u, 255u, 256u, 257u, 1000u, 99'999u}) {
    const ResampleWeights made = ResampleWeights::Bilinear(size, 256, 16, 224);
    ASSERT_EQ(made.windows.size(), 224u);
    for (const auto& window : made.windows) {
      std::int64_t total = 0;
      for (std::uint32_t i = 0; i < window.count; ++i) {
        total += made.weights[window.weight + i];
      }
      EXPECT_LE(window.begin + window.count, size);
      EXPECT_NEAR(static_cast<double>(total), 1 << ResampleWeights::kPrecisionBits, window.count);
    }
  }
}

TEST(NarrowRowTest, Narrow_GivesTheSameWithAndWithoutVectors) {
  std::minstd_rand random(3);
  for (const std::uint32_t width : {1u, 3u, 100u, 256u, 375u, 1024u, 4000u}) {
    for (const std::uint32_t crop : {1u, 6u, 97u}) {
      const RowNarrower narrower(ResampleWeights::Bilinear(width, 128, 128 - crop, crop));
      std::vector<std::uint8_t> row(width * 3 + kRowPadding);
      std::generate(row.begin(), row.end(), [&] { return random() % 3 == 0 ? 255 : random(); });
      std::vector<std::uint8_t> fast(std::size_t{crop} * 3), plain(fast.size());
      narrower.Narrow(row.data(), fast.data());
      narrower.NarrowPlainly(row.data(), plain.data());
      EXPECT_EQ(fast, plain) << width << " to " << crop;
    }
  }
}

TEST(TensorWriterTest, Tables_AreTorchsArithmetic) {
  const ChannelTables tables({0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F});
  std::vector<float> out(6);
  tables.WriteRow(std::vector<std::uint8_t>{0, 128, 255, 255, 0, 1}, 2, out.data());
  EXPECT_THAT(out, ElementsAre((0 / 255.0F - 0.485F) / 0.229F, (255 / 255.0F - 0.485F) / 0.229F,
                               (128 / 255.0F - 0.456F) / 0.224F, (0 / 255.0F - 0.456F) / 0.224F,
                               (255 / 255.0F - 0.406F) / 0.225F, (1 / 255.0F - 0.406F) / 0.225F));
}

}  // namespace
}  // namespace headrace::image
