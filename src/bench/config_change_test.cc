#include "bench/config_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/json_value.h"

namespace headrace::bench {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kConfig =
    R"({"name":"m","max_batch_size":8,"instance_group":[{"name":"m_0","kind":"KIND_CPU","count":1,)"
    R"("gpus":[],"host_policy":"numa_0","rate_limiter":{"priority":2}},{"kind":"KIND_GPU"}],)"
    R"("dynamic_batching":{"max_queue_delay_microseconds":"100","preferred_batch_size":[4,8]},)"
    R"("parameters":{"big":{"string_value":"9007199254740993"}},"version_policy":{"latest":{}}})";

JsonValue Changed(const ConfigChange& change, std::string_view config = kConfig) {
  auto changed = ChangedConfig(config, change);
  EXPECT_TRUE(changed.ok()) << changed.status().ToString();
  return changed.ok() ? *JsonValue::Parse(*changed) : JsonValue();
}

std::string Fault(const ConfigChange& change, std::string_view config = kConfig) {
  auto changed = ChangedConfig(config, change);
  return changed.ok() ? "" : changed.status().message();
}

TEST(ConfigChangeTest, NothingSet_KeepsEverything) {
  EXPECT_EQ(Changed({}), *JsonValue::Parse(kConfig));
  EXPECT_EQ(Describe({}), "as the repository has it");
}

TEST(ConfigChangeTest, Instances_ChangeTheFirstGroupAndDropTheOthers) {
  ConfigChange change;
  change.instance_count = 3;
  const JsonValue config = Changed(change);
  ASSERT_EQ(config.At("instance_group").elements().size(), 1u);
  const JsonValue& group = config.At("instance_group").elements().front();
  EXPECT_EQ(group.At("count").AsInt(), 3);
  EXPECT_EQ(group.At("host_policy").AsString(), "numa_0");
  EXPECT_EQ(group.At("rate_limiter").At("priority").AsInt(), 2);
}

TEST(ConfigChangeTest, Device_ChangesTheKindAndDropsWhatBelongsToTheOld) {
  ConfigChange change;
  change.device = "gpu:0,2";
  const JsonValue config = Changed(change);
  const JsonValue& group = config.At("instance_group").elements().front();
  EXPECT_EQ(group.At("kind").AsString(), "KIND_GPU");
  EXPECT_EQ(group.At("gpus").Text(), "[0,2]");
  EXPECT_EQ(group.Find("host_policy"), nullptr);
  change.device = "cpu";
  EXPECT_EQ(Changed(change).At("instance_group").elements().front().At("host_policy").AsString(),
            "numa_0");
}

TEST(ConfigChangeTest, Device_IsMadeWhereThereIsNoGroup) {
  ConfigChange change;
  change.device = "model";
  change.instance_count = 2;
  EXPECT_EQ(Changed(change, "{}").At("instance_group").Text(),
            R"([{"count":2,"kind":"KIND_MODEL"}])");
}

TEST(ConfigChangeTest, WrongDevicesAndCountsAreNamed) {
  ConfigChange change;
  for (const char* device : {"tpu", "gpu:", "gpu:x", "gpu:1,", "gpu:1x", "gpu:-1", ""}) {
    change.device = device;
    EXPECT_THAT(Fault(change), HasSubstr("is none of cpu, gpu, gpu:NUMBER[,NUMBER], auto"))
        << device;
  }
  change.device.reset();
  change.instance_count = 0;
  EXPECT_THAT(Fault(change), HasSubstr("instance count 0 is below 1"));
}

TEST(ConfigChangeTest, QueueDelay_KeepsTheRestOfTheBatcher) {
  ConfigChange change;
  change.queue_delay_us = 500;
  const JsonValue config = Changed(change);
  const JsonValue& batching = config.At("dynamic_batching");
  EXPECT_EQ(batching.At("max_queue_delay_microseconds").AsInt(), 500);
  EXPECT_EQ(batching.At("preferred_batch_size").Text(), "[4,8]");
  EXPECT_EQ(Changed(change, R"({"max_batch_size":4})").At("dynamic_batching").Text(),
            R"({"max_queue_delay_microseconds":500})");
}

TEST(ConfigChangeTest, SmallerMaxBatch_DropsPreferredSizesThatAreNotPossible) {
  ConfigChange change;
  change.max_batch_size = 4;
  EXPECT_EQ(Changed(change).At("dynamic_batching").At("preferred_batch_size").Text(), "[4]");
  change.max_batch_size = 0;
  EXPECT_EQ(Changed(change).Find("dynamic_batching"), nullptr);
}

TEST(ConfigChangeTest, DynamicBatching_IsTakenAwayAndRefusedWhereItCannotBe) {
  ConfigChange change;
  change.dynamic_batching = false;
  EXPECT_EQ(Changed(change).Find("dynamic_batching"), nullptr);
  change.queue_delay_us = 1;
  EXPECT_THAT(Fault(change), HasSubstr("need dynamic batching"));
  change.dynamic_batching = true;
  EXPECT_THAT(Fault(change, R"({"max_batch_size":2,"sequence_batching":{}})"),
              HasSubstr("has sequence_batching"));
  EXPECT_THAT(Fault(change, R"({"ensemble_scheduling":{}})"), HasSubstr("ensemble_scheduling"));
  EXPECT_THAT(Fault(change, "{}"), HasSubstr("needs a max_batch_size of 1 or more"));
}

TEST(ConfigChangeTest, MergePatch_IsAppliedLast) {
  ConfigChange change;
  change.instance_count = 2;
  change.merge_patch = R"({"version_policy":null,"parameters":{"t":{"string_value":"2"}}})";
  const JsonValue config = Changed(change);
  EXPECT_EQ(config.Find("version_policy"), nullptr);
  EXPECT_EQ(config.At("parameters").At("t").At("string_value").AsString(), "2");
  EXPECT_EQ(config.At("parameters").At("big").At("string_value").AsString(), "9007199254740993");
  change.merge_patch = "[1]";
  EXPECT_THAT(Fault(change), HasSubstr("is no JSON object"));
}

TEST(ConfigChangeTest, TextThatIsNoConfigurationIsRefused) {
  EXPECT_THAT(Fault({}, "{"), HasSubstr("this is no JSON"));
  EXPECT_THAT(Fault({}, "[]"), HasSubstr("is a JSON object"));
}

TEST(ConfigChangeTest, Describe_SaysWhatDiffers) {
  ConfigChange change;
  change.instance_count = 2;
  change.device = "cpu";
  change.max_batch_size = 8;
  change.queue_delay_us = 500;
  EXPECT_EQ(Describe(change), "instances 2 x cpu, max batch 8, delay 500 us");
}

}  // namespace
}  // namespace headrace::bench
