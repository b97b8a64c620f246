#include "common/batch_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace headrace::backend {
namespace {

using Kind = BatchInputConfig::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Shapes = std::vector<std::vector<std::int64_t>>;

std::vector<ShapeView> Views(const Shapes& shapes) { return {shapes.begin(), shapes.end()}; }

template <typename T>
std::vector<T> ValuesOf(const BatchInputTensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  }
  return values;
}

class MakeBatchInputTest : public ::testing::Test {
 protected:
  std::vector<std::int32_t> Make(Kind kind, const Shapes& shapes) {
    const std::vector<ShapeView> views = Views(shapes);
    Error error = MakeBatchInput(kind, TRITONSERVER_TYPE_INT32, views, &tensor_);
    EXPECT_TRUE(error.ok()) << error.message();
    return ValuesOf<std::int32_t>(tensor_);
  }
  BatchInputTensor tensor_;
};

// The contract's own example (Triton 3.2).
const Shapes kThreeFourFive = {{1, 3}, {1, 4}, {1, 5}};

TEST_F(MakeBatchInputTest, CountsElements) {
  EXPECT_THAT(Make(Kind::kElementCount, kThreeFourFive), ElementsAre(3, 4, 5));
  EXPECT_THAT(tensor_.shape, ElementsAre(3));
  EXPECT_THAT(Make(Kind::kElementCount, {{2, 3}, {1, 2, 2}}), ElementsAre(6, 4));
}

TEST_F(MakeBatchInputTest, AccumulatesElementCounts) {
  EXPECT_THAT(Make(Kind::kAccumulatedElementCount, kThreeFourFive), ElementsAre(3, 7, 12));
  EXPECT_THAT(Make(Kind::kAccumulatedElementCountWithZero, kThreeFourFive),
              ElementsAre(0, 3, 7, 12));
  EXPECT_THAT(tensor_.shape, ElementsAre(4));
}

TEST_F(MakeBatchInputTest, GivesTheLargestCountAsAShape) {
  EXPECT_THAT(Make(Kind::kMaxElementCountAsShape, kThreeFourFive), ElementsAre(0, 0, 0, 0, 0));
  EXPECT_THAT(tensor_.shape, ElementsAre(5));
}

TEST_F(MakeBatchInputTest, GivesOneShapePerBatchItem) {
  EXPECT_THAT(Make(Kind::kItemShape, {{2, 3, 4}, {1, 5, 6}}), ElementsAre(3, 4, 3, 4, 5, 6));
  EXPECT_THAT(tensor_.shape, ElementsAre(3, 2));
  EXPECT_THAT(Make(Kind::kItemShapeFlatten, {{2, 3, 4}, {1, 5, 6}}), ElementsAre(3, 4, 3, 4, 5, 6));
  EXPECT_THAT(tensor_.shape, ElementsAre(6));
}

TEST_F(MakeBatchInputTest, WritesFloats) {
  const std::vector<ShapeView> views = Views(kThreeFourFive);
  ASSERT_TRUE(MakeBatchInput(Kind::kElementCount, TRITONSERVER_TYPE_FP32, views, &tensor_).ok());
  EXPECT_THAT(ValuesOf<float>(tensor_), ElementsAre(3.0F, 4.0F, 5.0F));
}

TEST_F(MakeBatchInputTest, RefusesWhatInt32CannotHold) {
  const Shapes shapes = {{1, 1LL << 31}};
  const std::vector<ShapeView> views = Views(shapes);
  Error error = MakeBatchInput(Kind::kElementCount, TRITONSERVER_TYPE_INT32, views, &tensor_);
  EXPECT_THAT(error.message(), HasSubstr("2147483648, which is too large for INT32"));
  EXPECT_FALSE(MakeBatchInput(Kind::kElementCount, TRITONSERVER_TYPE_INT32,
                              Views({{1LL << 40, 1LL << 40}}), &tensor_)
                   .ok());
}

TEST(ScatteredShapeTest, TakesVariableDimensionsFromTheSource) {
  std::vector<std::int64_t> shape;
  const std::vector<std::int64_t> source = {2, 7, 9};
  ASSERT_TRUE(ScatteredShape(std::vector<std::int64_t>{-1, 4}, source, &shape).ok());
  EXPECT_THAT(shape, ElementsAre(2, 7, 4));
  ASSERT_TRUE(ScatteredShape(std::vector<std::int64_t>{-1, -1}, source, &shape).ok());
  EXPECT_THAT(shape, ElementsAre(2, 7, 9));
  EXPECT_FALSE(ScatteredShape(std::vector<std::int64_t>{-1, -1, -1}, source, &shape).ok());
}

constexpr const char* kBatching = R"({"max_batch_size": 8,
  "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": ["-1"], "allow_ragged_batch": true}],
  "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [-1]}],
  "batch_input": [{"kind": "BATCH_ITEM_SHAPE", "target_name": ["s", "t"], "data_type": "TYPE_INT32",
                   "source_input": ["x"]}],
  "batch_output": [{"kind": "BATCH_SCATTER_WITH_INPUT_SHAPE", "target_name": ["y"],
                    "source_input": ["x"]}]})";

TEST(BatchTensorConfigTest, IsRead) {
  ModelConfig config;
  Error error = ModelConfig::Parse(kBatching, &config);
  ASSERT_TRUE(error.ok()) << error.message();
  const BatchInputConfig* made = config.FindBatchInput("t");
  ASSERT_NE(made, nullptr);
  EXPECT_EQ(made->kind, Kind::kItemShape);
  EXPECT_EQ(made->dtype, TRITONSERVER_TYPE_INT32);
  EXPECT_EQ(made->source, "x");
  EXPECT_EQ(config.FindBatchInput("x"), nullptr);
  ASSERT_NE(config.FindBatchOutput("y"), nullptr);
  EXPECT_EQ(config.FindBatchOutput("y")->source, "x");
  const std::vector<TensorConfig> inputs = config.CallInputs();
  ASSERT_EQ(inputs.size(), 3u);
  EXPECT_THAT(inputs[0].CallShape(true), ElementsAre(-1));
  EXPECT_EQ(inputs[2].name, "t");
  EXPECT_THAT(inputs[2].CallShape(true), ElementsAre(-1, -1));
}

TEST(BatchTensorConfigTest, RefusesWhatItDoesNotKnow) {
  ModelConfig config;
  for (const auto& [json, text] : std::vector<std::pair<const char*, const char*>>{
           {R"({"batch_input": [{"kind": "BATCH_X", "data_type": "TYPE_INT32"}]})",
            "unknown batch input kind 'BATCH_X'"},
           {R"({"batch_input": [{"data_type": "TYPE_INT8", "source_input": ["x"]}]})",
            "batch input data type must be TYPE_INT32 or TYPE_FP32"},
           {R"({"batch_input": [{"data_type": "TYPE_INT32"}]})",
            "batch input must have exactly one 'source_input', got 0"},
           {R"({"batch_output": [{"kind": "BATCH_GATHER"}]})",
            "unknown batch output kind 'BATCH_GATHER'"}}) {
    EXPECT_THAT(ModelConfig::Parse(json, &config).message(), HasSubstr(text));
  }
}

}  // namespace
}  // namespace headrace::backend
