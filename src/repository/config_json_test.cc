#include "repository/config_json.h"

#include <gtest/gtest.h>

#include <string>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

std::string Json(std::string_view text) {
  auto config = ParseConfigText(text, "text");
  EXPECT_TRUE(config.ok()) << config.status().message();
  return ConfigToJson(*config);
}

std::string Error(std::string_view json) {
  auto config = ConfigFromJson(json);
  return config.ok() ? "parsed" : config.status().message();
}

TEST(ConfigJsonTest, ToJson_PrintsDefaults_LeavesOutUnsetMessages) {
  EXPECT_EQ(
      Json("name: \"m\""),
      R"({"name":"m","platform":"","backend":"","runtime":"","max_batch_size":0,"input":[],"output":[],)"
      R"("batch_input":[],"batch_output":[],"instance_group":[],"default_model_filename":"",)"
      R"("cc_model_filenames":{},"metric_tags":{},"parameters":{},"model_warmup":[]})");
}

TEST(ConfigJsonTest, ToJson_PrintsNumbersEnumsAndMaps) {
  const std::string json = Json(R"(
    input { name: "a" data_type: TYPE_INT64 dims: [ -1, 9223372036854775807 ] reshape { } }
    version_policy { specific { versions: [ 1, 2 ] } }
    dynamic_batching { max_queue_delay_microseconds: 18446744073709551615
                       priority_queue_policy { key: 3 value { timeout_action: DELAY } } }
    parameters { key: "b" value { string_value: "q\"\\\n\001" } }
    parameters { key: "a" value { } }
    model_warmup { inputs { key: "x" value { zero_data: false } } })");
  EXPECT_NE(
      json.find(
          R"("data_type":"TYPE_INT64","format":"FORMAT_NONE","dims":[-1,9223372036854775807],)"
          R"("reshape":{"shape":[]})"),
      std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("version_policy":{"specific":{"versions":[1,2]}})"), std::string::npos);
  EXPECT_NE(json.find(R"("max_queue_delay_microseconds":18446744073709551615)"), std::string::npos);
  EXPECT_NE(json.find(R"("priority_queue_policy":{"3":{"timeout_action":"DELAY")"),
            std::string::npos);
  EXPECT_NE(
      json.find(R"("parameters":{"a":{"string_value":""},"b":{"string_value":"q\"\\\n\u0001"}})"),
      std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("inputs":{"x":{"data_type":"TYPE_INVALID","dims":[],"zero_data":false}})"),
            std::string::npos);
}

TEST(ConfigJsonTest, ToJson_PrintsRealNumbers_AsShortAsExact) {
  EXPECT_NE(Json("sequence_batching { direct { minimum_slot_utilization: 0.1 } }")
                .find(R"("minimum_slot_utilization":0.1)"),
            std::string::npos);
  EXPECT_NE(
      Json(
          "model_metrics { metric_control { histogram_options { buckets: [ 0.5, 1e300, inf ] } } }")
          .find(R"("buckets":[0.5,1e+300,"Infinity"])"),
      std::string::npos);
}

TEST(ConfigJsonTest, FromJson_ReadsBackWhatToJsonPrints) {
  const std::string json = Json(R"(
    name: "m" backend: "b" max_batch_size: 4
    input { name: "a" data_type: TYPE_BF16 dims: [ -1, 3 ] optional: true }
    output { name: "o" data_type: TYPE_STRING dims: 1 label_filename: "l" }
    sequence_batching { oldest { max_candidate_sequences: 4 } control_input { name: "c" control {
        kind: CONTROL_SEQUENCE_READY fp32_false_true: [ 0, 1.5 ] } } }
    instance_group { kind: KIND_CPU count: 3 rate_limiter { resources { name: "r" count: 2 } } }
    optimization { cuda { graph_spec { input { key: "a" value { dim: [ 1, 2 ] } } } } }
    metric_tags { key: "k" value: "v" } model_metrics { metric_control { histogram_options { buckets: 0.25 } } })");
  auto config = ConfigFromJson(json);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(ConfigToJson(*config), json);
}

TEST(ConfigJsonTest, FromJson_AcceptsOtherSpellings) {
  auto config = ConfigFromJson(
      R"({"maxBatchSize": "8", "input": [{"name": "a", "data_type": "type_fp32", "dims": ["-1", 3.0]}, {"data_type": 8}],
          "dynamic_batching": null, "cc_model_filenames": {"7.5": "f"}})");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->max_batch_size(), 8);
  EXPECT_EQ(config->input(0).data_type(), inference::TYPE_FP32);
  EXPECT_EQ(config->input(0).dims(0), -1);
  EXPECT_EQ(config->input(0).dims(1), 3);
  EXPECT_EQ(config->input(1).data_type(), inference::TYPE_INT32);
  EXPECT_FALSE(config->has_dynamic_batching());
}

TEST(ConfigJsonTest, FromJson_NamesFieldAndFault) {
  EXPECT_EQ(Error(R"({"foo":1})"), "foo: Cannot find field.");
  EXPECT_EQ(Error(R"({"input":[{"nam":"x"}]})"), "input.nam: Cannot find field.");
  EXPECT_EQ(Error(R"({"name":1})"), "name: a string is expected");
  EXPECT_EQ(Error(R"({"name":"a","name":"b"})"), "name: the field is given twice");
  EXPECT_EQ(Error(R"({"dynamic_batching":{},"sequence_batching":{}})"),
            "sequence_batching: another field of 'scheduling_choice' is already set");
  EXPECT_EQ(Error(R"({"max_batch_size":2147483648})"),
            "max_batch_size: the number is out of range");
  EXPECT_EQ(Error(R"({"max_batch_size":1.5})"), "max_batch_size: an integer is expected");
  EXPECT_EQ(Error(R"({"max_batch_size":"8x"})"),
            "max_batch_size: the text is not an integer of this field's type");
  EXPECT_EQ(Error(R"({"input":{}})"), "input: a list is expected");
  EXPECT_EQ(Error(R"({"input":[{"data_type":"TYPE_X"}]})"),
            "input.data_type: 'TYPE_X' is no value of DataType");
  EXPECT_EQ(Error(R"({"dynamic_batching":{"preserve_ordering":1}})"),
            "dynamic_batching.preserve_ordering: true or false is expected");
  EXPECT_EQ(Error(R"({"metric_tags":{"a":"1","a":"2"}})"), "metric_tags.a: the key is given twice");
  EXPECT_EQ(
      Error(R"({"dynamic_batching":{"priority_queue_policy":{"x":{}}}})"),
      "dynamic_batching.priority_queue_policy.x: the key is not an integer of this field's type");
  EXPECT_EQ(Error("[]"), "model configuration: an object is expected");
}

TEST(ConfigJsonTest, FromJson_RefusesWhatIsNoJson) {
  for (const char* json :
       {"", "{", "{'name':'a'}", "{\"name\":\"a\",}", "{name:1}", "{} x", "{\"name\":\"\xff\"}"}) {
    EXPECT_EQ(Error(json).rfind("not valid JSON: ", 0), 0U) << json << " " << Error(json);
  }
  EXPECT_EQ(Error(std::string(100'000, '[')).rfind("not valid JSON: ", 0), 0U);
}

}  // namespace
}  // namespace headrace::repository
