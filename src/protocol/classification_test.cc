#include "protocol/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tensor/bytes_codec.h"

namespace headrace::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename T>
Tensor Scores(DataType dtype, Shape shape, const std::vector<T>& values) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.shape = shape;
  tensor.data =
      Buffer::CopyOf({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)});
  return tensor;
}

std::vector<std::string> Elements(const Tensor& tensor) {
  const auto elements = SplitBytesElements(tensor.data.view()).value();
  return std::vector<std::string>(elements.begin(), elements.end());
}

TEST(ClassifyTest, NamesTheBest_WithLabels) {
  const std::vector<std::string> labels = {"dog", "", "fish", "cat"};
  const auto best = Classify(Scores<float>(DataType::kFp32, {5}, {0.1f, 0.05f, -1.f, 0.85f, 0.2f}),
                             4, false, labels, "y");
  ASSERT_TRUE(best.ok());
  EXPECT_EQ(best->dtype, DataType::kBytes);
  EXPECT_EQ(best->shape, (Shape{4}));
  EXPECT_THAT(Elements(*best),
              ElementsAre("0.850000:3:cat", "0.200000:4", "0.100000:0:dog", "0.050000:1"));
}

TEST(ClassifyTest, TakesEachBatchEntry_ByItself) {
  const auto best =
      Classify(Scores<double>(DataType::kFp64, {2, 3}, {1, 2, 3, 6, 5, 4}), 2, true, {}, "y");
  ASSERT_TRUE(best.ok());
  EXPECT_EQ(best->shape, (Shape{2, 2}));
  EXPECT_THAT(Elements(*best), ElementsAre("3.000000:2", "2.000000:1", "6.000000:0", "5.000000:1"));
}

TEST(ClassifyTest, KeepsTheLowerIndex_OfEqualScores) {
  const auto best =
      Classify(Scores<std::int32_t>(DataType::kInt32, {4}, {7, -1, 7, 7}), 9, false, {}, "y");
  ASSERT_TRUE(best.ok());
  EXPECT_EQ(best->shape, (Shape{4}));
  EXPECT_THAT(Elements(*best), ElementsAre("7:0", "7:2", "7:3", "-1:1"));
}

TEST(ClassifyTest, PutsNanLast) {
  const auto best =
      Classify(Scores<float>(DataType::kFp32, {4}, {NAN, -INFINITY, NAN, 1.f}), 4, false, {}, "y");
  ASSERT_TRUE(best.ok());
  EXPECT_THAT(Elements(*best), ElementsAre("1.000000:3", "-inf:1", "nan:0", "nan:2"));
}

TEST(ClassifyTest, WritesSmallIntegers_AsNumbers) {
  EXPECT_THAT(
      Elements(*Classify(Scores<std::int8_t>(DataType::kInt8, {2}, {-5, 65}), 2, false, {}, "y")),
      ElementsAre("65:1", "-5:0"));
  EXPECT_THAT(Elements(*Classify(Scores<std::uint8_t>(DataType::kUint8, {2}, {48, 255}), 1, false,
                                 {}, "y")),
              ElementsAre("255:1"));
}

TEST(ClassifyTest, WritesTheLargestDouble_InFull) {
  const auto best =
      Classify(Scores<double>(DataType::kFp64, {1}, {-std::numeric_limits<double>::max()}), 1,
               false, {}, "y");
  ASSERT_TRUE(best.ok());
  EXPECT_EQ(Elements(*best)[0].size(), 1 + 309 + 7 + 2);
}

TEST(ClassifyTest, AcceptsEmptyTensors) {
  EXPECT_THAT(Elements(*Classify(Scores<float>(DataType::kFp32, {0, 4}, {}), 2, true, {}, "y")),
              IsEmpty());
  EXPECT_THAT(Elements(*Classify(Scores<float>(DataType::kFp32, {2, 0}, {}), 2, true, {}, "y")),
              IsEmpty());
}

TEST(ClassifyTest, RefusesTypes_WithoutScores) {
  for (const DataType dtype :
       {DataType::kFp16, DataType::kBf16, DataType::kBool, DataType::kBytes}) {
    Tensor tensor;
    tensor.dtype = dtype;
    tensor.shape = Shape{1};
    tensor.data = Buffer::CopyOf(std::string(DataTypeByteSize(dtype), '\0'));
    const auto result = Classify(tensor, 1, false, {}, "y");
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(result.status().message(), HasSubstr(DataTypeName(dtype)));
  }
}

TEST(ClassifyTest, RefusesMoreThanAMillionResults) {
  const Tensor scores =
      Scores<std::int8_t>(DataType::kInt8, {1'000'001}, std::vector<std::int8_t>(1'000'001));
  EXPECT_THAT(Classify(scores, 1'000'000'000, false, {}, "y").status().message(),
              HasSubstr("exceed the limit of 1000000"));
  EXPECT_TRUE(Classify(scores, 5, false, {}, "y").ok());
}

TEST(ClassifyTest, RefusesTensors_WhoseSizeIsNotTheirShapes) {
  EXPECT_EQ(Classify(Scores<float>(DataType::kFp32, {3}, {1.f}), 1, false, {}, "y").status().code(),
            StatusCode::kInternal);
}

}  // namespace
}  // namespace headrace::protocol
