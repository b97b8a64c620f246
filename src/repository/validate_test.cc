#include "repository/validate.h"

#include <gtest/gtest.h>

#include <string>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

inference::ModelConfig Parse(const std::string& text) {
  auto config = ParseConfigText(text, "text");
  EXPECT_TRUE(config.ok()) << text << ": " << config.status().message();
  return *std::move(config);
}

struct Case {
  const char* text;
  const char* message;  // part of it; empty = valid
};

void Check(const Status& status, const Case& c) {
  if (std::string_view(c.message).empty()) {
    EXPECT_TRUE(status.ok()) << c.text << ": " << status.message();
    return;
  }
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << c.text;
  EXPECT_NE(status.message().find(c.message), std::string::npos)
      << c.text << ": " << status.message();
}

class GeneralTest : public testing::TestWithParam<Case> {};
TEST_P(GeneralTest, Validate) {
  Check(ValidateGeneral(Parse(std::string("name: \"m\" ") + GetParam().text)), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Identity, GeneralTest,
    testing::Values(
        Case{"backend: \"b\"", ""}, Case{"", "must specify 'platform' or 'backend' for 'm'"},
        Case{"backend: \"onnxruntime\" platform: \"onnxruntime_onnx\"", ""},
        Case{"backend: \"pytorch\" platform: \"torch_aoti\"", ""},
        Case{"backend: \"openvino\" platform: \"onnxruntime_onnx\"",
             "unexpected 'platform' and 'backend' pair, got:onnxruntime_onnx, openvino"},
        Case{"backend: \"b\" max_batch_size: -1",
             "'max_batch_size' must be non-negative value for m"},
        Case{"backend: \"../b\"", "invalid backend name '../b' for m"},
        Case{"backend: \"a/b\"", "invalid backend name"},
        Case{"backend: \"b\" runtime: \"../libx.so\"", "invalid runtime name"},
        Case{"backend: \"b\" runtime: \"/lib/x.so\"", "invalid runtime name"},
        Case{"backend: \"b\" default_model_filename: \"../x\"",
             "'default_model_filename' must be a path inside the model's directory for m"},
        Case{"backend: \"b\" default_model_filename: \"a/../../x\"",
             "'default_model_filename' must be"},
        Case{"backend: \"b\" default_model_filename: \"/x\"", "'default_model_filename' must be"},
        Case{"backend: \"b\" default_model_filename: \"a..b/c\"", ""},
        Case{"backend: \"b\" cc_model_filenames { key: \"7.5\" value: \"..\" }",
             "'cc_model_filenames' must be"},
        Case{"backend: \"b\" model_operations { op_library_filename: \"x/..\" }",
             "'op_library_filename' must be"},
        Case{"backend: \"b\" version_policy { latest { } }",
             "'num_versions' of version policy 'latest'"},
        Case{"backend: \"b\" version_policy { specific { versions: 0 } }", "names version 0"}));

INSTANTIATE_TEST_SUITE_P(
    DynamicBatching, GeneralTest,
    testing::Values(
        Case{"backend: \"b\" max_batch_size: 4 dynamic_batching { preferred_batch_size: [ 2, 4 ] }",
             ""},
        Case{"backend: \"b\" max_batch_size: 4 dynamic_batching { preferred_batch_size: 0 }",
             "dynamic batching preferred size must be positive for m"},
        Case{"backend: \"b\" max_batch_size: 4 dynamic_batching { preferred_batch_size: 5 }",
             "dynamic batching preferred size must be <= max batch size for m"},
        Case{
            "backend: \"b\" dynamic_batching { max_queue_delay_microseconds: 9223372036854775808 }",
            "'max_queue_delay_microseconds' must be at most"},
        Case{"backend: \"b\" dynamic_batching { default_queue_policy { "
             "default_timeout_microseconds: "
             "18446744073709551615 } }",
             "'default_timeout_microseconds' must be at most"},
        Case{"backend: \"b\" dynamic_batching { priority_levels: 4294967296 "
             "default_priority_level: 1 }",
             "'priority_levels' must be at most 1024"},
        Case{"backend: \"b\" dynamic_batching { priority_levels: 3 default_priority_level: 4 }",
             "default priority level must be in range [1, 3] for m"},
        Case{"backend: \"b\" dynamic_batching { priority_levels: 3 }",
             "default priority level must be in range"},
        Case{"backend: \"b\" dynamic_batching { priority_levels: 2 default_priority_level: 1 "
             "priority_queue_policy "
             "{ key: 3 value { } } }",
             "priority queue policy must have priority level in range [1, 2]"},
        Case{"backend: \"b\" dynamic_batching { priority_levels: 2 default_priority_level: 1 "
             "preserve_ordering: true }",
             "Only one priority level is allowed when 'preserve_ordering' is true for m"},
        Case{"backend: \"b\" dynamic_batching { preserve_ordering: true default_queue_policy { "
             "timeout_action: "
             "DELAY } }",
             "Queue policy can not have DELAY as timeout action when 'preserve_ordering' is true "
             "for m"}));

#define CONTROL(text) \
  "backend: \"b\" sequence_batching { control_input { name: \"c\" control { " text " } } }"
INSTANTIATE_TEST_SUITE_P(
    Sequence, GeneralTest,
    testing::Values(
        Case{CONTROL("kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ]"), ""},
        Case{CONTROL("kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_STRING"), ""},
        Case{CONTROL("kind: CONTROL_SEQUENCE_START"),
             "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or "
             "'bool_false_true' for "
             "CONTROL_SEQUENCE_START for m"},
        Case{CONTROL("kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ] bool_false_true: [ "
                     "false, true ]"),
             "sequence batching must specify either"},
        Case{CONTROL("kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0 ]"),
             "must have exactly 2 entries"},
        Case{CONTROL("kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32"),
             "unexpected data type for control CONTROL_SEQUENCE_CORRID for m. Allowed data types "
             "are"},
        Case{"backend: \"b\" sequence_batching { control_input { name: \"c\" } }",
             "sequence batching control tensor must specify a KIND value for m"},
        Case{"backend: \"b\" sequence_batching { control_input { control { int32_false_true: [ 0, "
             "1 ] } } }",
             "sequence batching control tensor must have a name for CONTROL_SEQUENCE_START"},
        Case{"backend: \"b\" sequence_batching { control_input { name: \"a\" control { "
             "int32_false_true: [ 0, 1 ] } } "
             "control_input { name: \"b\" control { int32_false_true: [ 0, 1 ] } } }",
             "sequence batching specifies multiple CONTROL_SEQUENCE_START tensors for m"},
        Case{"backend: \"b\" sequence_batching { control_input { name: \"a\" control { "
             "int32_false_true: [ 0, 1 ] } "
             "control { kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ] } } }",
             "is specified for multiple control kinds for m"},
        Case{"backend: \"b\" sequence_batching { direct { minimum_slot_utilization: 1.5 } }",
             "sequence batching minimum slot utilization must be in range (0.0, 1.0] for m"},
        Case{"backend: \"b\" max_batch_size: 2 sequence_batching { oldest { preferred_batch_size: "
             "0 } }",
             "sequence batching preferred batch size must be positive for m"},
        Case{"backend: \"b\" max_batch_size: 2 sequence_batching { oldest { preferred_batch_size: "
             "3 } }",
             "sequence batching preferred batch size must be <= max batch size for m"},
        Case{"backend: \"b\" sequence_batching { max_sequence_idle_microseconds: "
             "18446744073709551615 }",
             "sequence batching times must be at most"}));

#define STATE(text)                                                                           \
  "backend: \"b\" input { name: \"x\" } sequence_batching { state { output_name: \"o\" " text \
  " }"                                                                                        \
  " }"
#define INITIAL(text) \
  STATE("input_name: \"i\" data_type: TYPE_FP32 dims: [ -1, 2 ] initial_state { " text " }")
INSTANTIATE_TEST_SUITE_P(
    SequenceState, GeneralTest,
    testing::Values(
        Case{STATE("input_name: \"i\" data_type: TYPE_FP32 dims: [ -1, 2 ]"), ""},
        Case{STATE("data_type: TYPE_FP32 dims: 1"), "must specify 'input_name' and 'output_name'"},
        Case{STATE("input_name: \"x\" data_type: TYPE_FP32 dims: 1"), "that is used before"},
        Case{STATE("input_name: \"i\" dims: 1"), "must specify 'data_type'"},
        Case{STATE("input_name: \"i\" data_type: TYPE_FP32"), "must specify 'dims'"},
        Case{STATE("input_name: \"i\" data_type: TYPE_FP32 dims: 0"), "dimension must be integer"},
        Case{INITIAL("name: \"n\" data_type: TYPE_FP32 dims: [ 3, 2 ] zero_data: true"), ""},
        Case{INITIAL("data_type: TYPE_INT32 dims: [ 3, 2 ] zero_data: true"), "another data type"},
        Case{INITIAL("data_type: TYPE_FP32 dims: [ 3, 4 ] zero_data: true"),
             "whose 'dims' are not"},
        Case{INITIAL("data_type: TYPE_FP32 dims: [ -1, 2 ] zero_data: true"),
             "whose 'dims' are not"},
        Case{INITIAL("data_type: TYPE_FP32 dims: [ 3, 2 ]"), "without 'zero_data' or 'data_file'"},
        Case{"backend: \"b\" sequence_batching { oldest { max_candidate_sequences: -1 } }",
             "'max_candidate_sequences' must be in range"}));

INSTANTIATE_TEST_SUITE_P(
    Rest, GeneralTest,
    testing::Values(
        Case{"platform: \"ensemble\"",
             "ensemble scheduling must be set for ensemble m whose platform is ensemble"},
        Case{"backend: \"b\" ensemble_scheduling { }",
             "Ensemble model 'm' must have platform type 'ensemble' and empty backend type"},
        Case{"platform: \"ensemble\" ensemble_scheduling { }",
             "must specify 'step' for ensemble 'm'"},
        Case{"platform: \"ensemble\" ensemble_scheduling { step { } }",
             "must specify 'model_name' in step 0 of ensemble 'm'"},
        Case{"platform: \"ensemble\" ensemble_scheduling { step { model_name: \"a\" } }",
             "must specify 'input_map' in step 0 of ensemble 'm'"},
        Case{"backend: \"b\" sequence_batching { } response_cache { enable: true }",
             "Response Cache does not currently support model m with sequence batching scheduler."},
        Case{"backend: \"b\" model_transaction_policy { decoupled: true } response_cache { enable: "
             "true }",
             "Response Cache does not currently support model m with 'decoupled' transaction "
             "policy."}));

class TensorsTest : public testing::TestWithParam<Case> {};
TEST_P(TensorsTest, Validate) {
  Check(ValidateTensors(Parse(std::string("name: \"m\" backend: \"b\" ") + GetParam().text)),
        GetParam());
}

#define INPUT(text) "input { name: \"a\" data_type: TYPE_FP32 " text " }"
INSTANTIATE_TEST_SUITE_P(
    All, TensorsTest,
    testing::Values(
        Case{INPUT("dims: [ 3, -1 ]"), ""},
        Case{"input { data_type: TYPE_FP32 dims: 1 }", "model input must specify 'name'"},
        Case{"output { data_type: TYPE_FP32 dims: 1 }", "model output must specify 'name'"},
        Case{"input { name: \"a\" dims: 1 }", "model input 'a' must specify 'data_type'"},
        Case{"input { name: \"a\" data_type: 99 dims: 1 }",
             "model input 'a' has an unknown 'data_type'"},
        Case{INPUT(""), "model input must specify 'dims' for m"},
        Case{INPUT("dims: 0"),
             "model input dimension must be integer >= 1, or -1 to indicate a variable-size "
             "dimension"},
        Case{INPUT("dims: -2"), "dimension must be integer >= 1, or -1"},
        Case{INPUT("dims: 9223372036854775807"), "dimension must be at most"},
        Case{INPUT("dims: [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"),
             "has 16 dimensions, at most 15 are supported"},
        Case{INPUT("dims: 1") INPUT("dims: 1"), "model input 'a' is given twice for m"},
        Case{"output { name: \"a\" data_type: TYPE_FP32 dims: 1 } output { name: \"a\" data_type: "
             "TYPE_FP32 dims: 1 }",
             "model output 'a' is given twice for m"},
        Case{INPUT("dims: [ 2, 3 ] reshape { shape: [ 6 ] }"), ""},
        Case{INPUT("dims: [ 2, -1, 3 ] reshape { shape: [ 1, 2, -1, 3, 1 ] }"), ""},
        Case{"max_batch_size: 1 " INPUT("dims: 1 reshape { }"), ""},
        Case{
            INPUT("dims: 1 reshape { }"),
            "cannot have empty reshape for non-batching model as scalar tensors are not supported"},
        Case{INPUT("dims: [ 2, 3 ] reshape { shape: 7 }"),
             "has different size for dims and reshape for m"},
        Case{INPUT("dims: [ 2, -1 ] reshape { shape: [ -1, 2 ] }"),
             "has different size for dims and reshape for m"},
        Case{INPUT("dims: [ 2, -1 ] reshape { shape: 2 }"),
             "has different number of variable-size dimensions for dims and reshape"},
        Case{INPUT("dims: 1 is_shape_tensor: true"),
             "shape tensors are only supported for TensorRT platform"},
        Case{INPUT("dims: [ 1, 2 ] format: FORMAT_NHWC"), "model input NHWC/NCHW require 3 dims"},
        Case{INPUT("dims: 1 allow_ragged_batch: true"),
             "allows ragged batches but the model does not batch for m"},
        Case{INPUT("dims: 1") "batch_input { target_name: \"t\" data_type: TYPE_INT32 "
                              "source_input: \"a\" }",
             ""},
        Case{INPUT("dims: 1") "batch_input { target_name: \"t\" data_type: TYPE_INT64 "
                              "source_input: \"a\" }",
             "batch input data type must be TYPE_INT32 or TYPE_FP32 for m"},
        Case{"batch_input { target_name: \"t\" data_type: TYPE_INT32 source_input: \"x\" }",
             "batch input names unknown source input 'x' for m"},
        Case{"batch_output { target_name: \"t\" }",
             "batch output must have exactly one 'source_input' for m"},
        Case{"batch_output { }", "batch output must specify 'target_name' for m"}));

TEST(GroupsOnGpusTest, Validate_KnowsTheGpusOfTheMachine) {
  UsableGpus gpus;
  gpus.ids = {0, 2};
  const auto validate = [&](const std::string& group) {
    return ValidateInstanceGroups(
        Parse("name: \"m\" backend: \"b\" instance_group { name: \"g\" count: 1 " + group + " }"),
        gpus);
  };
  EXPECT_TRUE(validate("kind: KIND_GPU gpus: [ 0, 2 ]").ok());
  EXPECT_EQ(
      validate("kind: KIND_GPU gpus: 1").message(),
      "instance group g of model m specifies invalid or unsupported gpu id 1. GPUs with at least "
      "the minimum required CUDA compute compatibility of 6.000000 are: 0 2");
  EXPECT_EQ(validate("kind: KIND_GPU").message(),
            "instance group g of model m has kind KIND_GPU but specifies no GPUs");
  EXPECT_FALSE(validate("kind: KIND_CPU gpus: 0").ok());
}

class GroupsTest : public testing::TestWithParam<Case> {};
TEST_P(GroupsTest, Validate) {
  Check(ValidateInstanceGroups(Parse(std::string("name: \"m\" backend: \"b\" ") + GetParam().text),
                               UsableGpus()),
        GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    All, GroupsTest,
    testing::Values(
        Case{"instance_group { name: \"g\" count: 256 kind: KIND_CPU }", ""},
        Case{"", "must specify one or more 'instance group's for m"},
        Case{"instance_group { name: \"g\" count: -1 }",
             "instance group g of model m must have a count of at least 1"},
        Case{"instance_group { name: \"g\" count: 1000000 }",
             "asks for more than the 256 instances"},
        Case{"instance_group { name: \"g\" count: 200 } instance_group { name: \"h\" count: 57 }",
             "instance group h of model m asks for more than the 256 instances"},
        Case{"instance_group { name: \"g\" count: 1 kind: KIND_GPU }",
             "instance group g of model m has kind KIND_GPU but server does not support GPUs"},
        Case{"instance_group { name: \"g\" count: 1 kind: KIND_CPU gpus: 0 }",
             "has kind KIND_CPU but specifies one or more GPUs"},
        Case{"instance_group { name: \"g\" count: 1 kind: KIND_MODEL gpus: 0 }",
             "has kind KIND_MODEL but specifies one or more GPUs"},
        Case{"instance_group { name: \"g\" count: 1 kind: KIND_CPU profile: \"0\" }",
             "specifies profile field which is only supported for TensorRT models"}));

}  // namespace
}  // namespace headrace::repository
