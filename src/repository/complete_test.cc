#include "repository/complete.h"

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

TEST(CompleteTest, MergeProposal_TakesOnlyWhatABackendMayDecide) {
  inference::ModelConfig config = Parse("name: \"m\" backend: \"b\" instance_group { count: 2 }");
  const inference::ModelConfig proposed = Parse(R"(
    name: "x" backend: "y" max_batch_size: 4 input { name: "i" } output { name: "o" } dynamic_batching { }
    instance_group { count: 9 } model_transaction_policy { decoupled: true } metric_tags { key: "a" value: "b" })");
  ASSERT_TRUE(MergeProposal(proposed, config).ok());
  EXPECT_EQ(config.name(), "m");
  EXPECT_EQ(config.backend(), "b");
  EXPECT_EQ(config.max_batch_size(), 4);
  EXPECT_EQ(config.input(0).name(), "i");
  EXPECT_EQ(config.output(0).name(), "o");
  EXPECT_TRUE(config.has_dynamic_batching());
  EXPECT_TRUE(config.model_transaction_policy().decoupled());
  EXPECT_EQ(config.instance_group(0).count(), 2);
  EXPECT_TRUE(config.metric_tags().empty());
}

TEST(CompleteTest, MergeProposal_KeepsSchedulingChoice) {
  inference::ModelConfig config = Parse("dynamic_batching { preferred_batch_size: 2 }");
  ASSERT_TRUE(MergeProposal(Parse("dynamic_batching { preferred_batch_size: 7 }"), config).ok());
  EXPECT_EQ(config.dynamic_batching().preferred_batch_size(0), 2);
  ASSERT_TRUE(MergeProposal(Parse(""), config).ok());
  EXPECT_TRUE(config.has_dynamic_batching());

  const Status status = MergeProposal(Parse("sequence_batching { }"), config);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_EQ(status.message(),
            "Cannot update scheduling choice from dynamic_batching to sequence_batching.");
}

}  // namespace
}  // namespace headrace::repository
