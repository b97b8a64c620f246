#include "engine/signature.h"

#include <gtest/gtest.h>

namespace headrace::engine {
namespace {

TEST(ModelSignatureTest, FindsTensorsByName) {
  ModelSignature signature;
  signature.inputs.push_back({.name = "X", .dims = Shape{1}});
  signature.outputs.push_back({.name = "Y", .dims = Shape{1}});
  EXPECT_EQ(signature.FindInput("X"), &signature.inputs[0]);
  EXPECT_EQ(signature.FindInput("Y"), nullptr);
  EXPECT_EQ(signature.FindOutput("Y"), &signature.outputs[0]);
}

TEST(ModelSignatureTest, ShowsClientsTheBatchDimension) {
  ModelSignature signature;
  const TensorSpec spec{.name = "X", .dims = Shape{3, -1}};
  EXPECT_EQ(signature.ClientShape(spec), (Shape{3, -1}));
  signature.batch_size_max = 4;
  EXPECT_EQ(signature.ClientShape(spec), (Shape{-1, 3, -1}));
}

TEST(ModelSignatureTest, CopiesShareTheSeed_AndOthersDoNot) {
  const ModelSignature a, b;
  const ModelSignature copy = a;
  EXPECT_EQ(a.shape_key_seed, copy.shape_key_seed);
  EXPECT_NE(a.shape_key_seed, b.shape_key_seed);
}

}  // namespace
}  // namespace headrace::engine
