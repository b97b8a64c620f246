#include "onnxruntime/node_work.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace headrace::backend {
namespace {

using Dims = std::vector<std::int64_t>;

OperatorWork Work(std::string_view op, const std::vector<Dims>& inputs, Dims output,
                  std::uint64_t element_byte_size = 4) {
  std::vector<OperatorTensor> tensors;
  for (const Dims& dims : inputs) {
    tensors.push_back({dims, element_byte_size});
  }
  const std::vector<OperatorTensor> outputs = {{std::move(output), element_byte_size}};
  return WorkOfNode(op, tensors, outputs);
}

TEST(NodeWorkTest, Convolution_TakesItsWeights_AmongTheInputs) {
  const OperatorWork work = Work("Conv", {{2, 3, 8, 8}, {16, 3, 3, 3}, {16}}, {2, 16, 8, 8});
  EXPECT_EQ(work.flops, 2u * 2 * 16 * 64 * 27);
  EXPECT_EQ(work.moved_byte_size, 4u * (2 * 3 * 64 + 16 * 27 + 16 + 2 * 16 * 64));
  // Groups of one channel each.
  EXPECT_EQ(Work("FusedConv", {{1, 8, 4, 4}, {8, 1, 3, 3}}, {1, 8, 4, 4}).flops, 2u * 128 * 9);
}

TEST(NodeWorkTest, Convolution_IsNotKnown_WithoutWeights) {
  EXPECT_EQ(Work("Conv", {{2, 3, 8, 8}}, {2, 16, 8, 8}).flops, 0u);
  // What is added to the result has its shape, and is no weight.
  EXPECT_EQ(Work("FusedConv", {{2, 3, 8, 8}, {2, 16, 8, 8}}, {2, 16, 8, 8}).moved_byte_size, 0u);
}

TEST(NodeWorkTest, Product_AddsWeightsThatAreRepacked) {
  EXPECT_EQ(Work("Gemm", {{2, 6}, {6, 5}, {5}}, {2, 5}).flops, 120u);
  EXPECT_EQ(Work("Gemm", {{2, 6}, {6, 5}, {5}}, {2, 5}).moved_byte_size, 4u * (12 + 30 + 5 + 10));
  EXPECT_EQ(Work("Gemm", {{2, 6}, {5}}, {2, 5}).moved_byte_size, 4u * (12 + 30 + 5 + 10));
  EXPECT_EQ(Work("Gemm", {{6, 2}, {5}}, {2, 5}).flops, 120u);  // transposed
  EXPECT_EQ(Work("MatMul", {{7, 2, 6}}, {7, 2, 5}).moved_byte_size, 4u * (84 + 30 + 70));
  EXPECT_EQ(Work("MatMul", {{7, 2, 6}, {7, 6, 5}}, {7, 2, 5}).moved_byte_size,
            4u * (84 + 210 + 70));
  EXPECT_EQ(Work("MatMul", {{}}, {}).flops, 0u);
}

TEST(NodeWorkTest, OtherOperators_MoveWholeTensors_OrAreNotKnown) {
  EXPECT_EQ(Work("Softmax", {{2, 5}}, {2, 5}).moved_byte_size, 80u);
  EXPECT_EQ(Work("Softmax", {{2, 5}}, {2, 5}).flops, 0u);
  EXPECT_EQ(Work("Add", {{2, 5}, {5}}, {2, 5}).flops, 10u);
  EXPECT_EQ(Work("Gather", {{30'000, 768}, {8}}, {8, 768}).moved_byte_size, 0u);
  EXPECT_EQ(Work("Reshape", {{2, 5}, {1}}, {10}).moved_byte_size, 0u);
  EXPECT_EQ(Work("Softmax", {{2, 5}}, {2, 5}, 0).moved_byte_size, 0u);
  EXPECT_EQ(WorkOfNode("Softmax", {}, {}).moved_byte_size, 0u);
}

TEST(NodeWorkTest, ElementByteSize_IsNotKnown_OfText) {
  EXPECT_EQ(ElementByteSizeOf("float16"), 2u);
  EXPECT_EQ(ElementByteSizeOf("string"), 0u);
}

}  // namespace
}  // namespace headrace::backend
