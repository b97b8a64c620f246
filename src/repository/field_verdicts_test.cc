#include "repository/field_verdicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// The paths of all fields, those below a field with another verdict than kActedOn left out.
void CollectPaths(const Descriptor& message, const std::string& prefix,
                  std::vector<std::string>& paths) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    const std::string path = prefix.empty() ? field.name() : prefix + "." + field.name();
    paths.push_back(path);
    const Descriptor* below = field.message_type();
    if (field.is_map()) {
      below = below->map_value()->message_type();
    }
    const FieldVerdict* verdict = FindVerdict(path);
    if (below != nullptr && verdict != nullptr && verdict->verdict == Verdict::kActedOn) {
      CollectPaths(*below, path, paths);
    }
  }
}

std::vector<std::string> AllPaths() {
  std::vector<std::string> paths;
  CollectPaths(*inference::ModelConfig::descriptor(), "", paths);
  return paths;
}

TEST(FieldVerdictsTest, EveryField_HasAVerdict) {
  for (const std::string& path : AllPaths()) {
    EXPECT_NE(FindVerdict(path), nullptr) << path;
  }
}

TEST(FieldVerdictsTest, EveryEntry_IsAFieldOnceAndSaysWhy) {
  const std::vector<std::string> paths = AllPaths();
  const std::set<std::string_view> known(paths.begin(), paths.end());
  std::set<std::string_view> seen;
  for (const FieldVerdict& entry : FieldVerdicts()) {
    EXPECT_EQ(known.count(entry.path), 1U) << entry.path;
    EXPECT_TRUE(seen.insert(entry.path).second) << entry.path;
    const bool needs_reason =
        entry.verdict == Verdict::kWarned || entry.verdict == Verdict::kRefused;
    EXPECT_EQ(entry.reason.empty(), !needs_reason) << entry.path;
  }
}

TEST(FieldVerdictsTest, FindVerdict_CoversSubtree_UnlessActedOn) {
  EXPECT_EQ(FindVerdict("optimization.cuda.graph_spec.input")->path, "optimization.cuda");
  EXPECT_EQ(FindVerdict("input.nothing"), nullptr);
  EXPECT_EQ(FindVerdict("nothing"), nullptr);
}

Result<std::vector<std::string>> Judge(const char* text) {
  auto config = ParseConfigText(text, "text");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return JudgeFields(*config);
}

TEST(FieldVerdictsTest, Judge_PassesWhatIsActedOn) {
  const auto judged = Judge(R"(
    name: "m" backend: "b" max_batch_size: 2 input { name: "a" data_type: TYPE_FP32 dims: 1 optional: true }
    dynamic_batching { preserve_ordering: true default_queue_policy { max_queue_size: 3 default_timeout_microseconds: 1 }
      priority_levels: 2 priority_queue_policy { key: 1 value { timeout_action: DELAY } } }
    instance_group { count: 2 passive: true } parameters { key: "a" value { string_value: "b" } }
    optimization { graph { level: 1 } } response_cache { enable: true }
    instance_group { rate_limiter { priority: 2 resources { name: "r" count: 1 global: true } } }
    model_warmup { name: "w" batch_size: 1 count: 2 inputs { key: "a" value {
      data_type: TYPE_FP32 dims: 1 zero_data: true } } })");
  ASSERT_TRUE(judged.ok()) << judged.status().message();
  EXPECT_TRUE(judged->empty());
}

TEST(FieldVerdictsTest, Judge_RefusesByName) {
  for (const auto& [text, field] : std::vector<std::pair<const char*, std::string>>{
           {"input { is_shape_tensor: true }", "input.is_shape_tensor"},
           {"instance_group { secondary_devices { } }", "instance_group.secondary_devices"}}) {
    const auto judged = Judge(text);
    ASSERT_FALSE(judged.ok()) << text;
    EXPECT_EQ(judged.status().code(), StatusCode::kUnimplemented);
    EXPECT_EQ(judged.status().message().rfind("field '" + field + "' is ", 0), 0U)
        << judged.status().message();
  }
  EXPECT_FALSE(Judge("parameters { key: \"TRITON_BATCH_STRATEGY_PATH\" value { } }").ok());
}

TEST(FieldVerdictsTest, Judge_WarnsByName_OncePerField) {
  const auto judged = Judge(R"(
    sequence_batching {
      state { input_name: "a" use_same_buffer_for_input_output: true }
      state { input_name: "b" use_same_buffer_for_input_output: true use_growable_memory: true }
    }
    optimization { eager_batching: true priority: PRIORITY_MAX })");
  ASSERT_TRUE(judged.ok()) << judged.status().message();
  EXPECT_THAT(
      *judged,
      testing::UnorderedElementsAre(
          testing::StartsWith("field 'sequence_batching.state.use_same_buffer_for_input_output' "),
          testing::StartsWith("field 'sequence_batching.state.use_growable_memory' "),
          testing::StartsWith("field 'optimization.eager_batching' "),
          testing::StartsWith("field 'optimization.priority' ")));
}

}  // namespace
}  // namespace headrace::repository
