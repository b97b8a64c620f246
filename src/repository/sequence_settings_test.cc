#include "repository/sequence_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/config_text.h"
#include "repository/model_options.h"
#include "repository/protobuf_messages.h"
#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

using engine::SequenceControlKind;
using engine::SequenceOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

inference::ModelConfig Parse(const std::string& text) {
  auto config = ParseConfigText(text, "text");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return *std::move(config);
}

SequenceOptions Build(const std::string& text) {
  auto options = BuildSequenceOptions(Parse(text));
  EXPECT_TRUE(options.ok()) << options.status().message();
  return options->value();
}

TEST(SequenceSettingsTest, NothingForAModelWithoutSequences) {
  EXPECT_FALSE(BuildSequenceOptions(Parse("dynamic_batching { }"))->has_value());
}

TEST(SequenceSettingsTest, Direct_HasASlotForEachBatchPosition) {
  const SequenceOptions options = Build(R"(max_batch_size: 4 sequence_batching {
    max_sequence_idle_microseconds: 7
    direct { max_queue_delay_microseconds: 5 minimum_slot_utilization: 0.5 } })");
  EXPECT_TRUE(options.direct);
  EXPECT_EQ(options.slot_count, 4u);
  EXPECT_EQ(options.batch_size_max, 4);
  EXPECT_EQ(options.idle_max, 7 * kMicrosecond);
  EXPECT_EQ(options.queue_delay_max, 5 * kMicrosecond);
  EXPECT_EQ(options.slot_utilization_min, 0.5);
  EXPECT_EQ(Build("sequence_batching { }").slot_count, 1u);
}

TEST(SequenceSettingsTest, Oldest_HasCandidatesAndPreferredSizes) {
  const inference::ModelConfig config = Parse(R"(max_batch_size: 4 sequence_batching {
    iterative_sequence: true oldest { max_candidate_sequences: 9 preferred_batch_size: [ 4, 2, 4 ]
    max_queue_delay_microseconds: 3 preserve_ordering: true } })");
  const auto model = BuildModelOptions(config, 1, {});
  const SequenceOptions& options = *model->sequences;
  EXPECT_FALSE(options.direct);
  EXPECT_TRUE(options.iterative);
  EXPECT_EQ(options.slot_count, 9u);
  EXPECT_THAT(options.preferred_sizes, ElementsAre(2, 4));
  EXPECT_EQ(options.queue_delay_max, 3 * kMicrosecond);
  EXPECT_TRUE(model->preserve_ordering);
}

TEST(SequenceSettingsTest, Controls_HaveTheirTypesAndValues) {
  const SequenceOptions options = Build(R"(sequence_batching {
    control_input { name: "S" control { kind: CONTROL_SEQUENCE_START fp32_false_true: [ 0, 1.5 ] } }
    control_input { name: "R" control { kind: CONTROL_SEQUENCE_READY bool_false_true: [ true, false ] } }
    control_input { name: "E" control { kind: CONTROL_SEQUENCE_END int32_false_true: [ 3, 4 ] } }
    control_input { name: "C" control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_INT32 } } })");
  ASSERT_EQ(options.controls.size(), 4u);
  EXPECT_EQ(options.controls[0].kind, SequenceControlKind::kStart);
  EXPECT_EQ(options.controls[0].dtype, DataType::kFp32);
  EXPECT_EQ(options.controls[0].when_true.view(), std::string_view("\0\0\xc0\x3f", 4));
  EXPECT_EQ(options.controls[1].dtype, DataType::kBool);
  EXPECT_EQ(options.controls[1].when_false.view(), std::string_view("\1", 1));
  EXPECT_EQ(options.controls[2].kind, SequenceControlKind::kEnd);
  EXPECT_EQ(options.controls[2].when_false.view(), std::string_view("\3\0\0\0", 4));
  EXPECT_EQ(options.controls[3].kind, SequenceControlKind::kCorrelationId);
  EXPECT_EQ(options.controls[3].dtype, DataType::kInt32);
}

TEST(SequenceSettingsTest, States_BeginWithZerosOfTheRightSize) {
  const SequenceOptions options = Build(R"(sequence_batching {
    state { input_name: "a" output_name: "b" data_type: TYPE_FP16 dims: [ -1, 3 ] }
    state { input_name: "c" output_name: "d" data_type: TYPE_STRING dims: [ 2 ] }
    state { input_name: "e" output_name: "f" data_type: TYPE_FP32 dims: [ -1, 3 ]
            initial_state { data_type: TYPE_FP32 dims: [ 4, 3 ] zero_data: true } } })");
  EXPECT_EQ(options.states[0].initial_dims, (Shape{1, 3}));
  EXPECT_EQ(options.states[0].initial_data.size(), 6u);
  EXPECT_EQ(options.states[1].initial_data.view(), std::string(8, '\0'));
  EXPECT_EQ(options.states[2].initial_data.size(), 48u);
  EXPECT_EQ(options.states[2].dims, (Shape{-1, 3}));
}

TEST(SequenceSettingsTest, AStateTooLargeIsRefused) {
  const auto options = BuildSequenceOptions(Parse(R"(sequence_batching {
    state { input_name: "a" output_name: "b" data_type: TYPE_FP32
            dims: [ 4000000000, 4000000000, 4000000000 ] } })"));
  EXPECT_THAT(options.status().message(), HasSubstr("the initial value of state 'b'"));
}

TEST(SequenceSettingsTest, InitialStates_ComeFromFilesOfTheModel) {
  TemporaryRepository files;
  files.File("m/initial_state/ok", "12345678");
  files.File("m/initial_state/short", "1234");
  const auto read = [&](const std::string& file, SequenceOptions& options) {
    const inference::ModelConfig config = Parse(R"(sequence_batching {
      state { input_name: "a" output_name: "b" data_type: TYPE_FP32 dims: [ 2 ]
              initial_state { data_type: TYPE_FP32 dims: [ 2 ] data_file: ")" +
                                                file + "\" } } }");
    options = BuildSequenceOptions(config)->value();
    return ReadInitialStates(config, files.path(), files.path("m"), options);
  };
  SequenceOptions options;
  ASSERT_TRUE(read("ok", options).ok());
  EXPECT_EQ(options.states[0].initial_data.view(), "12345678");
  EXPECT_THAT(read("short", options).message(), HasSubstr("file 'short' has 4 bytes, but shape"));
  EXPECT_EQ(read("none", options).code(), StatusCode::kNotFound);
  EXPECT_EQ(read("../config.pbtxt", options).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace headrace::repository
