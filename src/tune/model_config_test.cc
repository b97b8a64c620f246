#include "tune/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/json_value.h"

namespace headrace::tune {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const Configuration kTuned{
    .shape = {.instances = 2, .threads = 1}, .batch_max = 8, .delay = 2 * kMillisecond};
const Variant kVariant{.thread_parameter = "intra_op_thread_count"};

TEST(ConfigJsonFor, ChangesWhatIsTuned_AndNothingElse) {
  const auto json = ConfigJsonFor(
      R"({"name":"m","max_batch_size":32,"instance_group":[{"count":1,"kind":"KIND_CPU"}],)"
      R"("parameters":{"NUM_THREADS":{"string_value":"9"},"other":{"string_value":"x"}}})",
      kTuned, kVariant, true);
  ASSERT_TRUE(json.ok()) << json.status().message();
  const auto config = bench::JsonValue::Parse(*json);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->At("max_batch_size").AsInt(), 8);
  EXPECT_EQ(config->At("dynamic_batching").At("max_queue_delay_microseconds").AsInt(), 2000);
  EXPECT_EQ(config->At("instance_group").elements()[0].At("count").AsInt(), 2);
  const bench::JsonValue& parameters = config->At("parameters");
  EXPECT_EQ(parameters.At("intra_op_thread_count").At("string_value").AsString(), "1");
  EXPECT_EQ(parameters.Find("NUM_THREADS"), nullptr);
  EXPECT_EQ(parameters.At("other").At("string_value").AsString(), "x");
}

TEST(ConfigJsonFor, CountsOpenVinosThreadsOfAllInstances) {
  const auto json = ConfigJsonFor(R"({"name":"m"})", {.shape = {.instances = 3, .threads = 2}},
                                  {.thread_parameter = "INFERENCE_NUM_THREADS"}, true);
  ASSERT_TRUE(json.ok());
  const auto config = bench::JsonValue::Parse(*json);
  ASSERT_TRUE(config.ok());
  const bench::JsonValue& threads = config->At("parameters").At("INFERENCE_NUM_THREADS");
  EXPECT_EQ(threads.At("string_value").AsString(), "6");
}

TEST(ConfigJsonFor, TakesBatchingAway_WhereOneIsBest) {
  const auto json = ConfigJsonFor(R"({"name":"m","max_batch_size":8,"dynamic_batching":{}})",
                                  {.shape = {1, 0}}, {}, true);
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, Not(HasSubstr("dynamic_batching")));
}

TEST(ConfigJsonFor, ChoosesTheVariant) {
  const auto json = ConfigJsonFor(R"({"name":"m"})", {.variant = "int8", .shape = {1, 0}},
                                  {.name = "int8", .choice = "int8"}, false);
  ASSERT_TRUE(json.ok());
  EXPECT_THAT(*json, HasSubstr("model_variants"));
}

TEST(TunedConfigText, KeepsTheRestOfTheFile) {
  const std::string text =
      "# mine\n"
      "name: \"m\"  # its name\n"
      "max_batch_size: 32\n"
      "input [ { name: \"x}\" data_type: TYPE_FP32 dims: [ 4 ] } ]\n"
      "dynamic_batching {\n  max_queue_delay_microseconds: 5 # {\n}\n"
      "instance_group [ { count: 1 kind: KIND_CPU } ]\n"
      "parameters { key: \"NUM_THREADS\" value { string_value: \"4\" } }\n"
      "parameters: { key: \"kept\" value: { string_value: \"y\" } }\n";
  const auto tuned = TunedConfigText(text, "m", kTuned, kVariant, true, "why\nand how");
  ASSERT_TRUE(tuned.ok()) << tuned.status().message();
  EXPECT_THAT(*tuned, StartsWith("# why\n# and how\n# mine\nname: \"m\"  # its name\ninput ["));
  EXPECT_THAT(*tuned, AllOf(HasSubstr("max_batch_size: 8\n"), HasSubstr("\"kept\""),
                            HasSubstr("max_queue_delay_microseconds: 2000"), HasSubstr("count: 2"),
                            HasSubstr("\"intra_op_thread_count\"")));
  EXPECT_THAT(*tuned, AllOf(Not(HasSubstr("32\n")), Not(HasSubstr("NUM_THREADS")),
                            Not(HasSubstr("count: 1"))));
}

TEST(TunedConfigText, MakesAFile_WhereThereIsNone) {
  const auto tuned = TunedConfigText("", "m\"", {.shape = {1, 0}}, {}, true, "");
  ASSERT_TRUE(tuned.ok());
  EXPECT_EQ(*tuned, "name: \"m\\\"\"\nmax_batch_size: 1\ninstance_group [ { count: 1 } ]\n");
}

TEST(TunedConfigText, RefusesWhatIsNoConfiguration) {
  for (const char* text : {"name: \"m", "input [ {", "}", "name", "a: 'x", "= 3"}) {
    EXPECT_FALSE(TunedConfigText(text, "m", kTuned, kVariant, true, "").ok()) << text;
  }
}

TEST(TunedConfigText, TakesThePlaceOfAnEarlierRunsComment) {
  const auto once = TunedConfigText("# mine\n", "m", kTuned, kVariant, true,
                                    "headrace tune: 5/s\n2 instances\nwhat binds: much");
  ASSERT_TRUE(once.ok());
  const auto twice = TunedConfigText(*once, "m", kTuned, kVariant, true,
                                     "headrace tune: 6/s\n3 instances\nwhat binds: little");
  ASSERT_TRUE(twice.ok());
  EXPECT_THAT(*twice, StartsWith("# headrace tune: 6/s\n# 3 instances\n# what binds: little\n"
                                 "# mine\n"));
}

}  // namespace
}  // namespace headrace::tune
