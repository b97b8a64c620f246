#include "repository/model_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/config_json.h"
#include "repository/config_text.h"
#include "repository/protobuf_messages.h"
#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

using testing::ElementsAre;
using testing::Pair;

inference::ModelConfig Parse(const char* text) {
  auto config = ParseConfigText(text, "text");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return *std::move(config);
}

TEST(ModelOptionsTest, Build_CarriesSignature) {
  const inference::ModelConfig config = Parse(R"(
    name: "m" backend: "b" max_batch_size: 8
    input { name: "a" data_type: TYPE_STRING dims: [ -1, 2 ] optional: true allow_ragged_batch: true }
    output { name: "o" data_type: TYPE_BF16 dims: 4 reshape { shape: [ 2, 2 ] } }
    model_transaction_policy { decoupled: true } metric_tags { key: "z" value: "1" } metric_tags { key: "a" value: "2" })");
  const auto options = BuildModelOptions(config, 3, {});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->name, "m");
  EXPECT_EQ(options->version, 3);
  EXPECT_EQ(options->platform, "b");
  EXPECT_EQ(options->config_json, ConfigToJson(config));
  EXPECT_TRUE(options->decoupled);
  EXPECT_EQ(options->signature.batch_size_max, 8);
  const engine::TensorSpec& input = options->signature.inputs.at(0);
  EXPECT_EQ(input.dtype, DataType::kBytes);
  EXPECT_EQ(input.dims, (Shape{-1, 2}));
  EXPECT_FALSE(input.reshape.has_value());
  EXPECT_TRUE(input.optional && input.allow_ragged_batch);
  const engine::TensorSpec& output = options->signature.outputs.at(0);
  EXPECT_EQ(output.dtype, DataType::kBf16);
  EXPECT_EQ(output.reshape, (Shape{2, 2}));
  EXPECT_THAT(options->metric_tags, ElementsAre(Pair("a", "2"), Pair("z", "1")));
  EXPECT_FALSE(options->batching.dynamic);
  EXPECT_EQ(BuildModelOptions(Parse("backend: \"b\" platform: \"p\""), 1, {})->platform, "p");
}

TEST(ModelOptionsTest, DataTypes_HaveTheNumbersOfTheConfiguration) {
  EXPECT_EQ(static_cast<int>(DataType::kBool), inference::TYPE_BOOL);
  EXPECT_EQ(static_cast<int>(DataType::kFp16), inference::TYPE_FP16);
  EXPECT_EQ(static_cast<int>(DataType::kBytes), inference::TYPE_STRING);
  EXPECT_EQ(static_cast<int>(DataType::kBf16), inference::TYPE_BF16);
}

TEST(ModelOptionsTest, Build_CarriesBatchingAndLimits) {
  const engine::QueueLimits server{.request_count_max = 100, .byte_size_max = 1000};
  const auto options = BuildModelOptions(Parse(R"(max_batch_size: 8 dynamic_batching {
      preferred_batch_size: [ 8, 4, 8 ] max_queue_delay_microseconds: 250 preserve_ordering: true
      default_queue_policy { max_queue_size: 7 } })"),
                                         1, server);
  EXPECT_TRUE(options->batching.dynamic);
  EXPECT_EQ(options->batching.batch_size_max, 8);
  EXPECT_THAT(options->batching.preferred_sizes, ElementsAre(4, 8));
  EXPECT_EQ(options->batching.queue_delay_max, 250 * kMicrosecond);
  EXPECT_TRUE(options->preserve_ordering);
  EXPECT_EQ(options->queue_limits.request_count_max, 100U);
  EXPECT_EQ(options->queue_limits.byte_size_max, 1000U);
  EXPECT_EQ(options->queue_policies.default_policy.request_count_max, 7U);
}

TEST(ModelOptionsTest, Build_CarriesQueuePoliciesAndPriorities) {
  const auto options =
      BuildModelOptions(Parse(R"(dynamic_batching { priority_levels: 3 default_priority_level: 2
        default_queue_policy { default_timeout_microseconds: 5 allow_timeout_override: true }
        priority_queue_policy { key: 3 value { timeout_action: DELAY max_queue_size: 9 } } })"),
                        1, {});
  const engine::QueuePolicies& policies = options->queue_policies;
  EXPECT_EQ(policies.level_count, 3U);
  EXPECT_EQ(policies.default_level, 2U);
  EXPECT_EQ(policies.Of(1).timeout, 5 * kMicrosecond);
  EXPECT_TRUE(policies.Of(1).allow_timeout_override);
  EXPECT_EQ(policies.Of(3).timeout_action, engine::TimeoutAction::kDelay);
  EXPECT_EQ(policies.Of(3).request_count_max, 9U);
  EXPECT_EQ(policies.Of(3).timeout, 0);
}

TEST(ModelOptionsTest, BuildPlacements_ExpandsGroups) {
  const auto placements = BuildPlacements(Parse(R"(
    instance_group { name: "a" count: 2 kind: KIND_CPU }
    instance_group { name: "b" count: 1 kind: KIND_MODEL passive: true }
    instance_group { name: "c" count: 2 kind: KIND_GPU gpus: [ 0, 3 ] }
    instance_group { name: "d" count: 1 kind: KIND_CPU host_policy: "mine" })"));
  std::vector<std::string> names;
  std::vector<std::string> policies;
  for (const auto& placement : placements) {
    names.push_back(placement.name);
    policies.push_back(placement.host_policy);
  }
  EXPECT_THAT(names, ElementsAre("a_0", "a_1", "b_0", "c_0", "c_1", "c_2", "c_3", "d_0"));
  EXPECT_THAT(policies,
              ElementsAre("cpu", "cpu", "model", "gpu_0", "gpu_0", "gpu_3", "gpu_3", "mine"));
  EXPECT_TRUE(placements[2].passive);
  EXPECT_EQ(placements[2].kind, engine::InstanceKind::kModel);
  EXPECT_EQ(placements[6].device_id, 3);
}

TEST(ModelOptionsTest, SplitLabels_TakesBothLineEnds) {
  EXPECT_THAT(SplitLabels("a\nb\r\n\nc"), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(SplitLabels("a\n"), ElementsAre("a"));
  EXPECT_TRUE(SplitLabels("").empty());
}

TEST(ModelOptionsTest, ReadLabels_StaysInTheRepository) {
  TemporaryRepository files;
  files.File("m/labels.txt", "cat\ndog\n");
  const auto read = [&](const char* text, engine::ModelSignature* signature) {
    const inference::ModelConfig config = Parse(text);
    *signature = BuildModelOptions(config, 1, {})->signature;
    return ReadLabels(config, files.path(), files.path("m"), *signature);
  };
  engine::ModelSignature signature;
  ASSERT_TRUE(read("output { name: \"a\" } output { name: \"o\" label_filename: \"labels.txt\" }",
                   &signature)
                  .ok());
  EXPECT_TRUE(signature.outputs[0].labels.empty());
  EXPECT_THAT(signature.outputs[1].labels, ElementsAre("cat", "dog"));
  EXPECT_EQ(read("output { name: \"o\" label_filename: \"none.txt\" }", &signature).message(),
            "label file of output 'o': cannot open 'none.txt': No such file or directory");
  EXPECT_EQ(read("output { name: \"o\" label_filename: \"../x\" }", &signature).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(read("output { name: \"o\" label_filename: \"/etc/hostname\" }", &signature).code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace headrace::repository
