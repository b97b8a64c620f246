#include "common/operator_work.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace headrace::backend {
namespace {

using Dims = std::vector<std::int64_t>;

TEST(OperatorWorkTest, ElementCount_IsNotKnown_OfOpenOrHugeShapes) {
  EXPECT_EQ(ElementCount(Dims{2, 3, 4}), 24u);
  EXPECT_EQ(ElementCount(Dims{}), 1u);
  EXPECT_EQ(ElementCount(Dims{-1, 3}), 0u);
  EXPECT_EQ(ElementCount(Dims{INT64_MAX, INT64_MAX}), 0u);
  EXPECT_EQ(ElementCount(Dims{INT64_MAX, INT64_MAX, 2}), 0u);
}

TEST(OperatorWorkTest, ByteSize_IsNotKnown_WhereOnePartIsNot) {
  const std::vector<OperatorTensor> known = {{{2, 3}, 4}, {{5}, 2}};
  EXPECT_EQ(ByteSizeOf(known), 34u);
  const std::vector<OperatorTensor> text = {{{2, 3}, 4}, {{5}, 0}};
  EXPECT_EQ(ByteSizeOf(text), 0u);
}

TEST(OperatorWorkTest, Convolution_CountsTwoForEachProduct) {
  // The first layer of ResNet-18: 118 million products.
  EXPECT_EQ(ConvolutionFlops(64 * 112 * 112, Dims{64, 3, 7, 7}), 236'027'904u);
  EXPECT_EQ(ConvolutionFlops(10, Dims{2, 4, 3, 3, 3}, 2), 540u);  // groups apart
  EXPECT_EQ(ConvolutionFlops(10, Dims{2}), 0u);
  EXPECT_EQ(ConvolutionFlops(0, Dims{2, 3}), 0u);
  EXPECT_EQ(TransposedConvolutionFlops(10, Dims{4, 2, 3, 3}), 360u);
}

TEST(OperatorWorkTest, MatrixProduct_KnowsItsInnerDimension_AlsoTransposed) {
  EXPECT_EQ(MatrixProductFlops(6, 5), 60u);
  EXPECT_EQ(MatrixProductFlops(6, 0), 0u);
  EXPECT_EQ(InnerDimension(Dims{7, 2, 5}, Dims{7, 2, 3}), 5);
  EXPECT_EQ(InnerDimension(Dims{7, 5, 2}, Dims{7, 2, 3}), 5);
  EXPECT_EQ(InnerDimension(Dims{1, 2, 5}, Dims{7, 2, 3}), 0);  // repeated for each of 7
  EXPECT_EQ(InnerDimension(Dims{2, 5}, Dims{7, 2, 3}), 0);
  EXPECT_EQ(InnerDimension(Dims{5}, Dims{3}), 0);
  EXPECT_EQ(InnerDimension(Dims{2, 5}, Dims{4, 3}), 0);
}

}  // namespace
}  // namespace headrace::backend
