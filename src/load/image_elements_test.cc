#include "load/image_elements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "load/half.h"
#include "protocol/base64.h"

namespace headrace::load {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// 2 x 2: red, green; blue, white.
std::string Picture() {
  return *protocol::DecodeBase64(
      "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEklEQVR42mP4z8DAAMIM/4EAAB/"
      "uBfvxq7p3AAAAAElFTkSuQmCC");
}

ImageElements Read(DataType data_type, std::vector<std::int64_t> dims,
                   PixelScaling scaling = PixelScaling::kUnit) {
  auto image = ReadImage(Picture(), {"I", data_type, std::move(dims), false}, scaling, "p.png");
  EXPECT_TRUE(image.ok()) << image.status().ToString();
  return image.ok() ? *std::move(image) : ImageElements();
}

std::vector<int> Bytes(const std::string& bytes) {
  std::vector<int> out;
  for (const char c : bytes) {
    out.push_back(static_cast<unsigned char>(c));
  }
  return out;
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

TEST(ImageElementsTest, LayoutFollowsTheShape) {
  EXPECT_THAT(Bytes(Read(DataType::kUint8, {2, 2, 3}).bytes),
              ElementsAre(255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255));
  EXPECT_THAT(Bytes(Read(DataType::kUint8, {3, 2, 2}).bytes),
              ElementsAre(255, 0, 0, 255, 0, 255, 0, 255, 0, 0, 255, 255));
  EXPECT_THAT(Bytes(Read(DataType::kUint8, {1, 1, 2, 2}).bytes), ElementsAre(76, 150, 29, 255));
}

TEST(ImageElementsTest, OpenSidesAreTheImagesAndOthersAreResized) {
  EXPECT_THAT(Read(DataType::kUint8, {3, -1, -1}).dims, ElementsAre(3, 2, 2));
  const ImageElements wide = Read(DataType::kUint8, {-1, 8, 3});
  EXPECT_THAT(wide.dims, ElementsAre(2, 8, 3));
  EXPECT_EQ(wide.bytes.size(), 48u);
  EXPECT_EQ(static_cast<unsigned char>(wide.bytes[0]), 255);  // the corner stays red
  EXPECT_EQ(wide.bytes[1], 0);
}

TEST(ImageElementsTest, ScalingMakesNumbers) {
  EXPECT_THAT(Floats(Read(DataType::kFp32, {1, 2, 2}).bytes),
              ElementsAre(76 / 255.0F, 150 / 255.0F, 29 / 255.0F, 1));
  EXPECT_FLOAT_EQ(Floats(Read(DataType::kFp32, {3, 2, 2}, PixelScaling::kNone).bytes)[0], 255);
  EXPECT_FLOAT_EQ(Floats(Read(DataType::kFp32, {3, 2, 2}, PixelScaling::kInception).bytes)[1], -1);
  EXPECT_FLOAT_EQ(Floats(Read(DataType::kFp32, {3, 2, 2}, PixelScaling::kImageNet).bytes)[0],
                  (1 - 0.485F) / 0.229F);
  std::uint16_t half = 0;
  std::memcpy(&half, Read(DataType::kFp16, {3, 2, 2}).bytes.data(), sizeof(half));
  EXPECT_EQ(FromFp16(half), 1.0F);
}

TEST(ImageElementsTest, BytesTakeTheFileAsItIs) {
  const ImageElements image = Read(DataType::kBytes, {1});
  EXPECT_EQ(image.bytes.substr(4), Picture());
  EXPECT_THAT(image.dims, ElementsAre(1));
}

TEST(ImageElementsTest, WhatDoesNotFitIsSaid) {
  const auto failure = [](std::string_view file, DataType data_type,
                          std::vector<std::int64_t> dims) {
    const auto image =
        ReadImage(file, {"I", data_type, std::move(dims), false}, PixelScaling::kUnit, "p.png");
    EXPECT_FALSE(image.ok());
    return image.status().message();
  };
  EXPECT_THAT(failure(Picture(), DataType::kFp32, {2}), HasSubstr("is no image: [C,H,W]"));
  EXPECT_THAT(failure(Picture(), DataType::kFp32, {4, 8, 8}), HasSubstr("is no image"));
  EXPECT_THAT(failure(Picture(), DataType::kBytes, {2}), HasSubstr("an image is one"));
  EXPECT_THAT(failure("no image", DataType::kFp32, {3, 2, 2}), HasSubstr("p.png: "));
  EXPECT_THAT(failure(Picture().substr(0, 60), DataType::kFp32, {3, 2, 2}), HasSubstr("p.png: "));
  EXPECT_THAT(failure(Picture(), DataType::kFp32, {3, 1 << 20, 1 << 20}), HasSubstr("too large"));
}

}  // namespace
}  // namespace headrace::load
