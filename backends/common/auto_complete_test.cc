#include "common/auto_complete.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/testing/fake_host.h"

namespace headrace::backend {
namespace {

using ::testing::HasSubstr;

class RaggedModelTest : public ::testing::Test {
 protected:
  RaggedModelTest() {
    tensors_.inputs = {{"x", TRITONSERVER_TYPE_FP32, {-1}},
                       {"ends", TRITONSERVER_TYPE_INT32, {-1}}};
    tensors_.outputs = {{"y", TRITONSERVER_TYPE_FP32, {-1, 1}}};
    const Error error = ModelConfig::Parse(R"({"max_batch_size": 8,
      "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1], "allow_ragged_batch": true}],
      "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [1]}],
      "batch_input": [{"kind": "BATCH_ACCUMULATED_ELEMENT_COUNT", "target_name": ["ends"],
                       "data_type": "TYPE_INT32", "source_input": ["x"]}]})",
                                           &config_);
    EXPECT_TRUE(error.ok());
  }
  std::string Check() {
    const Error error = CheckConfig("m", tensors_, config_);
    return error.ok() ? "" : error.message();
  }

  ModelTensors tensors_;
  ModelConfig config_;
};

TEST_F(RaggedModelTest, TakesRaggedInputsInOneDimension) {
  EXPECT_EQ(Check(), "");
  tensors_.inputs[0].shape = {-1, -1};
  EXPECT_THAT(Check(), HasSubstr("configuration expects model provides input with shape [-1]  for "
                                 "ragged input 'x', model provides [-1,-1]"));
}

TEST_F(RaggedModelTest, NeedsTheTargetsOfBatchInputs) {
  tensors_.inputs[1].name = "starts";
  EXPECT_THAT(Check(),
              HasSubstr("unexpected inference input 'ends', allowed inputs are: x, starts"));
  tensors_.inputs[1] = {"ends", TRITONSERVER_TYPE_INT64, {-1}};
  EXPECT_THAT(Check(), HasSubstr("tensor 'ends': the model expects data-type TYPE_INT64 but the "
                                 "model configuration specifies data-type TYPE_INT32"));
  tensors_.inputs[1] = {"ends", TRITONSERVER_TYPE_INT32, {-1, 2}};
  EXPECT_THAT(Check(), HasSubstr("a batch input of its kind has 1 dimension, the first of any "
                                 "extent, but shape expected by the model is [-1,2]"));
}

TEST_F(RaggedModelTest, RefusesInputsThatNothingGives) {
  tensors_.inputs.push_back({"z", TRITONSERVER_TYPE_FP32, {-1}});
  EXPECT_THAT(Check(), HasSubstr("configuration expects 2 inputs, model provides 3: input 'z' is "
                                 "missing"));
  tensors_.inputs.back().has_default = true;
  EXPECT_EQ(Check(), "");
}

TEST_F(RaggedModelTest, BatchOutputsMayHaveAnyShape) {
  tensors_.outputs[0].shape = {-1};
  EXPECT_THAT(Check(), HasSubstr("tensor 'y': the model expects 1 dimensions"));
  config_.batch_outputs.push_back({.targets = {"y"}, .source = "x"});
  EXPECT_EQ(Check(), "");
}

TEST_F(RaggedModelTest, CompletionLeavesOutWhatRequestsDoNotGive) {
  tensors_.inputs.push_back({"scale", TRITONSERVER_TYPE_FP32, {4}, /*has_default=*/true});
  config_.inputs.clear();
  config_.outputs.clear();
  bool changed = false;
  bool add_dynamic_batching = false;
  ASSERT_TRUE(CompleteConfig("m", tensors_, 4, &config_, &changed, &add_dynamic_batching).ok());
  ASSERT_EQ(config_.inputs.size(), 1u);
  EXPECT_EQ(config_.inputs[0].name, "x");
}

}  // namespace
}  // namespace headrace::backend
