#include "openvino/node_work.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace headrace::backend {
namespace {

using Dims = std::vector<std::int64_t>;

OperatorWork Work(std::string_view layer, const std::vector<Dims>& inputs, Dims output) {
  std::vector<OperatorTensor> tensors;
  for (const Dims& dims : inputs) {
    tensors.push_back({dims, 2});
  }
  const std::vector<OperatorTensor> outputs = {{std::move(output), 2}};
  return WorkOfLayer(layer, tensors, outputs);
}

TEST(LayerWorkTest, Convolution_WithAndWithoutGroups) {
  const OperatorWork work = Work("Convolution", {{2, 3, 8, 8}, {6, 3, 3, 3}, {6}}, {2, 6, 8, 8});
  EXPECT_EQ(work.flops, 2u * (2 * 6 * 64) * 27);
  EXPECT_EQ(work.moved_byte_size, 2u * (2 * 3 * 64 + 6 * 27 + 6 + 2 * 6 * 64));
  EXPECT_EQ(Work("Convolution", {{1, 8, 4, 4}, {8, 1, 1, 3, 3}}, {1, 8, 4, 4}).flops, 2u * 128 * 9);
  EXPECT_EQ(Work("Deconvolution", {{1, 4, 5, 5}, {4, 2, 3, 3}}, {1, 2, 7, 7}).flops, 2u * 100 * 18);
}

TEST(LayerWorkTest, Products) {
  EXPECT_EQ(Work("FullyConnected", {{7, 2, 6}, {5, 6}}, {7, 2, 5}).flops, 840u);
  EXPECT_EQ(Work("MatMul", {{7, 2, 6}, {7, 6, 5}}, {7, 2, 5}).flops, 840u);
  EXPECT_EQ(Work("MatMul", {{2, 6}, {7, 6, 5}}, {7, 2, 5}).moved_byte_size, 0u);
}

TEST(LayerWorkTest, OtherLayers_MoveWholeTensors_OrAreNotKnown) {
  EXPECT_EQ(Work("Subgraph", {{2, 5}, {2, 5}}, {2, 5}).moved_byte_size, 60u);
  EXPECT_EQ(Work("Subgraph", {{2, 5}, {2, 5}}, {2, 5}).flops, 0u);
  EXPECT_EQ(Work("Gather", {{30'000, 768}, {8}}, {8, 768}).moved_byte_size, 0u);
  EXPECT_EQ(Work("Reorder", {{-1, 5}}, {-1, 5}).moved_byte_size, 0u);
  EXPECT_EQ(WorkOfLayer("Reorder", {}, {}).moved_byte_size, 0u);
}

}  // namespace
}  // namespace headrace::backend
