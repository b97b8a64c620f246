#include "common/operator_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/testing/fake_host.h"

namespace headrace::backend {
namespace {

using ::testing::HasSubstr;

TEST(OperatorProfileTest, ToJson_HasMemoryAndStacks_OfOperators) {
  OperatorProfile profile;
  profile.memory_note = "allocated";
  EXPECT_EQ(profile.StackIndex("f;g"), 0);
  EXPECT_EQ(profile.StackIndex("f;h"), 1);
  EXPECT_EQ(profile.StackIndex("f;g"), 0);
  profile.Add(OperatorEvent{.name = "conv", .kind = "Conv", .byte_size = 12, .stack = 1});
  profile.Add(OperatorEvent{.name = "plain"});
  profile.Add(MemoryEvent{.time_ns = 5, .thread = 7, .byte_size = -3, .on_device = true});
  const auto json = nlohmann::json::parse(profile.ToJson());
  EXPECT_EQ(json["memory_note"], "allocated");
  EXPECT_EQ(json["stacks"], nlohmann::json({"f;g", "f;h"}));
  EXPECT_EQ(json["events"][0]["stack"], 1);
  EXPECT_EQ(json["events"][0]["bytes"], 12);
  EXPECT_FALSE(json["events"][1].contains("stack"));
  EXPECT_FALSE(json["events"][1].contains("bytes"));
  EXPECT_EQ(json["memory"][0]["bytes"], -3);
  EXPECT_EQ(json["memory"][0]["device"], true);
}

TEST(OperatorProfileTest, ToJson_LeavesOutWorkThatIsNotKnown) {
  OperatorProfile profile;
  profile.threads = 3;
  profile.work_note = "no shapes";
  profile.Add(OperatorEvent{.name = "a", .work = {.flops = 7}});
  profile.Add(OperatorEvent{.name = "b", .work = {.moved_byte_size = 9}});
  profile.totals.resize(2);
  profile.totals[1].work = {.flops = 5, .moved_byte_size = 6};
  profile.totals[1].worked_count = 2;
  profile.totals[1].worked_ns = 8;
  const auto json = nlohmann::json::parse(profile.ToJson());
  EXPECT_EQ(json["threads"], 3);
  EXPECT_EQ(json["work_note"], "no shapes");
  EXPECT_EQ(json["events"][0]["flops"], 7);
  EXPECT_FALSE(json["events"][0].contains("moved_bytes"));
  EXPECT_EQ(json["events"][1]["moved_bytes"], 9);
  EXPECT_FALSE(json["totals"][0].contains("worked_ns"));
  EXPECT_EQ(json["totals"][1]["worked_count"], 2);
  EXPECT_EQ(json["totals"][1]["worked_ns"], 8);
  EXPECT_EQ(json["totals"][1]["flops"], 5);
}

TEST(OperatorProfileTest, Add_MarksWhatIsLeftOut) {
  OperatorProfile profile;
  profile.memory.resize(OperatorProfile::kEventCountMax - 1);
  profile.Add(MemoryEvent{});
  EXPECT_FALSE(profile.truncated);
  profile.Add(MemoryEvent{});
  EXPECT_TRUE(profile.truncated);
  EXPECT_EQ(profile.memory.size(), OperatorProfile::kEventCountMax);
}

TEST(ProfileOptionsTest, Read_TakesFlags_AndNamesWhatIsNone) {
  ProfileOptions options;
  EXPECT_TRUE(
      ProfileOptions::Read(R"({"memory": true, "stack": true, "later": 1})", &options).ok());
  EXPECT_TRUE(options.memory && options.stack && !options.shapes);
  EXPECT_THAT(ProfileOptions::Read(R"({"stack": 1})", &options).message(), HasSubstr("'stack'"));
  EXPECT_THAT(ProfileOptions::Read("[]", &options).message(), HasSubstr("JSON object"));
}

}  // namespace
}  // namespace headrace::backend
