#include "repository/normalise.h"

#include <gtest/gtest.h>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

inference::ModelConfig Parse(const char* text) {
  auto config = ParseConfigText(text, "text");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return *std::move(config);
}

struct BackendCase {
  const char* text;
  std::vector<std::string> entries;  // sorted
  const char* backend;
  const char* platform;
  const char* file;
};

class CompleteBackendTest : public testing::TestWithParam<BackendCase> {};

TEST_P(CompleteBackendTest, FillsWhatIsMissing) {
  inference::ModelConfig config = Parse(GetParam().text);
  ASSERT_TRUE(CompleteBackend("m", GetParam().entries, config).ok());
  EXPECT_EQ(config.backend(), GetParam().backend);
  EXPECT_EQ(config.platform(), GetParam().platform);
  EXPECT_EQ(config.default_model_filename(), GetParam().file);
}

INSTANTIATE_TEST_SUITE_P(
    All, CompleteBackendTest,
    testing::Values(
        BackendCase{"", {"model.onnx"}, "onnxruntime", "onnxruntime_onnx", "model.onnx"},
        BackendCase{"", {"model.bin", "model.xml"}, "openvino", "", "model.xml"},
        BackendCase{"", {"model.tflite"}, "openvino", "", "model.tflite"},
        BackendCase{"backend: \"openvino\"", {"model.tflite"}, "openvino", "", "model.tflite"},
        BackendCase{"backend: \"openvino\"", {}, "openvino", "", "model.xml"},
        BackendCase{
            "", {"model.savedmodel"}, "tensorflow", "tensorflow_savedmodel", "model.savedmodel"},
        BackendCase{"platform: \"tensorflow_graphdef\"",
                    {},
                    "tensorflow",
                    "tensorflow_graphdef",
                    "model.graphdef"},
        BackendCase{"", {"model.pt"}, "pytorch", "pytorch_libtorch", "model.pt"},
        BackendCase{"", {"model.pt2"}, "pytorch", "torch_aoti", "model.pt2"},
        BackendCase{"", {"model.py"}, "python", "", "model.py"},
        BackendCase{"", {"model.plan"}, "tensorrt", "tensorrt_plan", "model.plan"},
        BackendCase{"backend: \"pytorch\"", {"model.pt2"}, "pytorch", "torch_aoti", "model.pt2"},
        BackendCase{"backend: \"torch\"", {"model.pt2"}, "pytorch", "torch_aoti", "model.pt2"},
        BackendCase{"backend: \"pytorch\"", {}, "pytorch", "pytorch_libtorch", "model.pt"},
        BackendCase{
            "backend: \"onnxruntime\"", {}, "onnxruntime", "onnxruntime_onnx", "model.onnx"},
        BackendCase{"backend: \"onnxruntime\" default_model_filename: \"x.onnx\"",
                    {},
                    "onnxruntime",
                    "onnxruntime_onnx",
                    "x.onnx"},
        BackendCase{
            "default_model_filename: \"model.pt\"", {}, "pytorch", "pytorch_libtorch", "model.pt"},
        BackendCase{
            "platform: \"onnxruntime_onnx\"", {}, "onnxruntime", "onnxruntime_onnx", "model.onnx"},
        BackendCase{"platform: \"torch_aoti\"", {}, "pytorch", "torch_aoti", "model.pt2"},
        BackendCase{"backend: \"identity\"", {"model.onnx"}, "identity", "", ""},
        BackendCase{"platform: \"ensemble\"", {"model.onnx"}, "", "ensemble", ""}));

TEST(NormaliseTest, CompleteBackend_TakesItFromTheModelsName) {
  inference::ModelConfig config;
  ASSERT_TRUE(CompleteBackend("model.identity", {}, config).ok());
  EXPECT_EQ(config.backend(), "identity");
}

TEST(NormaliseTest, CompleteBackend_SaysWhatItExpected) {
  inference::ModelConfig config;
  EXPECT_EQ(CompleteBackend("m", {"other.bin"}, config).message(),
            "Invalid model name: Could not determine backend for model 'm' with no backend in "
            "model configuration. "
            "Expected model name of the form 'model.<backend_name>'.");
  config.set_platform("nothing");
  EXPECT_EQ(CompleteBackend("m", {}, config).message(), "unexpected platform type 'nothing' for m");
}

TEST(NormaliseTest, FillDefaults_SetsWhatTheContractSays) {
  inference::ModelConfig config = Parse("max_batch_size: 8 dynamic_batching { }");
  ASSERT_TRUE(FillDefaults("m", config).ok());
  EXPECT_EQ(config.name(), "m");
  EXPECT_EQ(config.version_policy().latest().num_versions(), 1U);
  ASSERT_EQ(config.dynamic_batching().preferred_batch_size_size(), 1);
  EXPECT_EQ(config.dynamic_batching().preferred_batch_size(0), 8);
  EXPECT_TRUE(config.optimization().input_pinned_memory().enable());
  EXPECT_TRUE(config.optimization().output_pinned_memory().enable());

  const std::string once = config.SerializeAsString();
  ASSERT_TRUE(FillDefaults("m", config).ok());
  EXPECT_EQ(config.SerializeAsString(), once);
}

TEST(NormaliseTest, FillDefaults_KeepsWhatIsSet) {
  inference::ModelConfig config = Parse(R"(
    max_batch_size: 8 dynamic_batching { preferred_batch_size: 4 } version_policy { all { } }
    optimization { input_pinned_memory { } })");
  ASSERT_TRUE(FillDefaults("m", config).ok());
  EXPECT_EQ(config.dynamic_batching().preferred_batch_size_size(), 1);
  EXPECT_TRUE(config.version_policy().has_all());
  EXPECT_FALSE(config.optimization().input_pinned_memory().enable());
}

TEST(NormaliseTest, FillDefaults_Sequence) {
  inference::ModelConfig config = Parse("max_batch_size: 2 sequence_batching { oldest { } }");
  ASSERT_TRUE(FillDefaults("m", config).ok());
  EXPECT_EQ(config.sequence_batching().max_sequence_idle_microseconds(), 1'000'000U);
  EXPECT_EQ(config.sequence_batching().oldest().preferred_batch_size(0), 2);
}

TEST(NormaliseTest, FillDefaults_HasNoPreferredSize_WithoutBatchDimension) {
  inference::ModelConfig config = Parse("dynamic_batching { }");
  ASSERT_TRUE(FillDefaults("m", config).ok());
  EXPECT_TRUE(config.dynamic_batching().preferred_batch_size().empty());
}

TEST(NormaliseTest, FillDefaults_RefusesAnotherName) {
  inference::ModelConfig config = Parse("name: \"other\"");
  EXPECT_EQ(
      FillDefaults("m", config).message(),
      "unexpected directory name 'm' for model 'other', directory name must equal model name");
}

TEST(NormaliseTest, FillInstanceGroups_NamesAndCounts) {
  inference::ModelConfig none = Parse("backend: \"identity\"");
  FillInstanceGroups("m", {}, none);
  ASSERT_EQ(none.instance_group_size(), 1);
  EXPECT_EQ(none.instance_group(0).name(), "m");
  EXPECT_EQ(none.instance_group(0).kind(), inference::ModelInstanceGroup::KIND_CPU);
  EXPECT_EQ(none.instance_group(0).count(), 1);

  inference::ModelConfig two =
      Parse("backend: \"onnxruntime\" instance_group { } instance_group { name: \"x\" count: 5 }");
  FillInstanceGroups("m", {}, two);
  EXPECT_EQ(two.instance_group(0).name(), "m_0");
  EXPECT_EQ(two.instance_group(0).count(), 2);
  EXPECT_EQ(two.instance_group(1).name(), "x");
  EXPECT_EQ(two.instance_group(1).count(), 5);

  inference::ModelConfig gpus = Parse("backend: \"onnxruntime\"");
  FillInstanceGroups("m", {0, 2}, gpus);
  EXPECT_EQ(gpus.instance_group(0).kind(), inference::ModelInstanceGroup::KIND_GPU);
  ASSERT_EQ(gpus.instance_group(0).gpus_size(), 2);
  EXPECT_EQ(gpus.instance_group(0).gpus(1), 2);
  EXPECT_EQ(gpus.instance_group(0).count(), 1);
}

}  // namespace
}  // namespace headrace::repository
