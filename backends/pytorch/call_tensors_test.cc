#include "pytorch/call_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kConfig = R"({
  "max_batch_size": 4,
  "input": [{"name": "X", "data_type": "TYPE_FP32", "dims": [3]}],
  "output": [{"name": "Y", "data_type": "TYPE_FP32", "dims": [1]}],
  "sequence_batching": {
    "control_input": [
      {"name": "START", "control": [{"kind": "CONTROL_SEQUENCE_START", "bool_false_true": [false, true]}]},
      {"name": "ID", "control": [{"kind": "CONTROL_SEQUENCE_CORRID", "data_type": "TYPE_STRING"}]}],
    "state": [
      {"input_name": "IN", "output_name": "OUT", "data_type": "TYPE_FP16", "dims": ["-1", 2]},
      {"input_name": "LAST", "output_name": "Y", "data_type": "TYPE_FP32", "dims": [1]}]
  }
})";

ModelConfig Parsed(const std::string& json) {
  ModelConfig config;
  const Error error = ModelConfig::Parse(json, &config);
  EXPECT_TRUE(error.ok()) << error.message();
  return config;
}

std::vector<std::string> NamesOf(const std::vector<TensorConfig>& tensors) {
  std::vector<std::string> names;
  for (const TensorConfig& tensor : tensors) {
    names.push_back(tensor.name);
  }
  return names;
}

TEST(CallTensors, ControlsAndStatesAreInputsBehindThoseOfClients) {
  CallTensors inputs;
  ASSERT_TRUE(CallTensors::InputsOf(Parsed(kConfig), &inputs).ok());
  EXPECT_THAT(NamesOf(inputs.plain), ElementsAre("X"));
  EXPECT_THAT(NamesOf(inputs.sequence), ElementsAre("START", "ID", "IN", "LAST"));
  EXPECT_THAT(NamesOf(inputs.All()), ElementsAre("X", "START", "ID", "IN", "LAST"));
  EXPECT_EQ(inputs.sequence[0].dtype, TRITONSERVER_TYPE_BOOL);
  EXPECT_THAT(inputs.sequence[0].CallShape(true), ElementsAre(-1, 1));
  EXPECT_EQ(inputs.sequence[1].dtype, TRITONSERVER_TYPE_BYTES);
  EXPECT_EQ(inputs.sequence[2].dtype, TRITONSERVER_TYPE_FP16);
  EXPECT_THAT(inputs.sequence[2].CallShape(false), ElementsAre(-1, 2));
}

TEST(CallTensors, AStateThatIsAnOutputTooIsOneOutput) {
  const CallTensors outputs = CallTensors::OutputsOf(Parsed(kConfig));
  EXPECT_THAT(NamesOf(outputs.plain), ElementsAre("Y"));
  EXPECT_THAT(NamesOf(outputs.sequence), ElementsAre("OUT"));
}

TEST(CallTensors, AModelWithoutSequencesHasNone) {
  const ModelConfig config = Parsed(R"({"input": [{"name": "X", "data_type": "TYPE_FP32"}]})");
  CallTensors inputs;
  ASSERT_TRUE(CallTensors::InputsOf(config, &inputs).ok());
  EXPECT_THAT(NamesOf(inputs.All()), ElementsAre("X"));
  EXPECT_TRUE(CallTensors::OutputsOf(config).All().empty());
}

TEST(CallTensors, RefusesAStateOfStrings) {
  const ModelConfig config = Parsed(R"({"sequence_batching": {"state": [
      {"input_name": "IN", "output_name": "OUT", "data_type": "TYPE_STRING", "dims": [1]}]}})");
  CallTensors inputs;
  EXPECT_THAT(CallTensors::InputsOf(config, &inputs).message(),
              HasSubstr("state 'OUT' has data_type TYPE_STRING"));
}

}  // namespace
}  // namespace headrace::backend
