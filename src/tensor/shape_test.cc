#include "tensor/shape.h"

#include <gtest/gtest.h>

#include <vector>

#include "tensor/dtype.h"
#include "tensor/tensor.h"

namespace headrace {
namespace {

TEST(ShapeTest, ElementCount_IsTheProductOfTheDimensions) {
  EXPECT_EQ(Shape().ElementCount(), 1);
  EXPECT_EQ((Shape{1, 3, 224, 224}).ElementCount(), 150528);
  EXPECT_EQ((Shape{4, 0, 7}).ElementCount(), 0);
}

TEST(ShapeTest, ElementCount_RefusesNegativeDimensionsWhateverTheOthersAre) {
  EXPECT_EQ((Shape{-1, 16}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{-1, -1}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{0, -1}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{INT64_MIN}).ElementCount(), std::nullopt);
}

TEST(ShapeTest, ElementCount_RefusesOverflow) {
  constexpr std::int64_t kTwoTo32 = std::int64_t{1} << 32;
  EXPECT_EQ((Shape{INT64_MAX}).ElementCount(), INT64_MAX);
  EXPECT_EQ((Shape{INT64_MAX, 2}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{kTwoTo32, kTwoTo32}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{kTwoTo32, kTwoTo32, 0}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{kTwoTo32, kTwoTo32 / 4}).ElementCount(), std::int64_t{1} << 62);
}

TEST(ShapeTest, PrependAndWithoutFirst_AreInverse) {
  const Shape shape{3, 4};
  EXPECT_EQ(shape.Prepend(8), (Shape{8, 3, 4}));
  EXPECT_EQ(shape.Prepend(8).WithoutFirst(), shape);
  EXPECT_EQ(Shape().WithoutFirst(), Shape());
  EXPECT_EQ(Shape().Prepend(5), Shape{5});
}

TEST(ShapeTest, Append_StopsAtTheLargestRank) {
  Shape shape;
  for (std::size_t i = 0; i < Shape::kRankMax; ++i) {
    EXPECT_TRUE(shape.Append(1));
  }
  EXPECT_FALSE(shape.Append(1));
  EXPECT_EQ(shape.rank(), Shape::kRankMax);
  EXPECT_DEATH(shape.Prepend(1), "check failed");
  EXPECT_DEATH(Shape(std::span<const std::int64_t>(std::vector<std::int64_t>(17, 1))),
               "check failed");
}

TEST(ShapeTest, Equality_LooksAtTheUsedDimensionsOnly) {
  Shape shape{1, 2};
  EXPECT_NE(shape, Shape{1});
  EXPECT_NE(shape, (Shape{1, 3}));
  EXPECT_EQ((Shape{9, 1, 2}).WithoutFirst(), shape);
  shape[1] = 3;
  EXPECT_EQ(shape, (Shape{1, 3}));
}

TEST(ShapeTest, ToString_IsABracketedListWithoutBlanks) {
  EXPECT_EQ(Shape().ToString(), "[]");
  EXPECT_EQ((Shape{-1, 3, 224}).ToString(), "[-1,3,224]");
}

TEST(DataTypeTest, NamesAndSizes_AreTheProtocols) {
  struct Row {
    DataType dtype;
    const char* name;
    std::size_t byte_size;
  };
  const Row rows[] = {
      {DataType::kBool, "BOOL", 1},     {DataType::kUint8, "UINT8", 1},
      {DataType::kUint16, "UINT16", 2}, {DataType::kUint32, "UINT32", 4},
      {DataType::kUint64, "UINT64", 8}, {DataType::kInt8, "INT8", 1},
      {DataType::kInt16, "INT16", 2},   {DataType::kInt32, "INT32", 4},
      {DataType::kInt64, "INT64", 8},   {DataType::kFp16, "FP16", 2},
      {DataType::kFp32, "FP32", 4},     {DataType::kFp64, "FP64", 8},
      {DataType::kBytes, "BYTES", 0},   {DataType::kBf16, "BF16", 2},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(DataTypeName(row.dtype), row.name);
    EXPECT_EQ(DataTypeFromName(row.name), row.dtype);
    EXPECT_EQ(DataTypeByteSize(row.dtype), row.byte_size) << row.name;
  }
}

TEST(DataTypeTest, UnknownNamesAndNumbers_AreInvalid) {
  for (const char* name : {"", "fp32", "FP32 ", "TYPE_FP32", "<invalid>", "STRING"}) {
    EXPECT_EQ(DataTypeFromName(name), DataType::kInvalid) << name;
  }
  EXPECT_EQ(DataTypeName(DataType::kInvalid), "<invalid>");
  EXPECT_EQ(DataTypeName(static_cast<DataType>(200)), "<invalid>");
  EXPECT_EQ(DataTypeByteSize(static_cast<DataType>(15)), 0u);
}

TEST(TensorTest, ByteSize_IsTheSumOfTheFragments) {
  Tensor tensor;
  EXPECT_EQ(tensor.byte_size(), 0u);
  tensor.data = Buffer::Unowned("abc");
  tensor.more_fragments = {Buffer::Unowned(""), Buffer::Unowned("de")};
  EXPECT_EQ(tensor.byte_size(), 5u);
  EXPECT_EQ(tensor.fragment_count(), 3u);
  EXPECT_EQ(tensor.fragment(0).view(), "abc");
  EXPECT_EQ(tensor.fragment(2).view(), "de");
}

}  // namespace
}  // namespace headrace
