#include "protocol/settings_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/v2_test_support.h"
#include "tensor/block_pool.h"

namespace headrace::protocol {
namespace {

using ::testing::HasSubstr;

Result<Settings> Parse(const std::string& text) {
  BlockPool pool;
  MutableBuffer memory = std::move(pool.Allocate(text.size())).value();
  text.copy(reinterpret_cast<char*>(memory.data()), text.size());
  const Buffer body = std::move(memory).Freeze();
  return ParseSettings(body.view());
}

TEST(SettingsJsonTest, Parse_KeepsEachKindOfValue) {
  const auto settings = Parse(R"({"a":null,"b":true,"c":-3,"d":"x","e":["y","z"],"f":[]})");
  ASSERT_TRUE(settings.ok()) << settings.status().ToString();
  ASSERT_EQ(settings->size(), 6u);
  EXPECT_EQ((*settings)[0].second, SettingValue(std::monostate()));
  EXPECT_EQ((*settings)[1].second, SettingValue(true));
  EXPECT_EQ((*settings)[2].second, SettingValue(std::int64_t{-3}));
  EXPECT_EQ((*settings)[3].second, SettingValue(std::string("x")));
  EXPECT_EQ((*settings)[4].second, SettingValue(std::vector<std::string>{"y", "z"}));
  EXPECT_EQ((*settings)[5].second, SettingValue(std::vector<std::string>{}));
  EXPECT_TRUE(Parse("")->empty());
  EXPECT_TRUE(Parse("{}")->empty());
}

TEST(SettingsJsonTest, Json_ReadsBackEqual) {
  const std::string text = R"({"a":null,"b":true,"c":-3,"d":"x\"","e":["y","z"],"f":[]})";
  EXPECT_EQ(SettingsJson(*Parse(text)), text);
}

TEST(SettingsJsonTest, Parse_NamesTheMemberThatIsWrong) {
  for (const char* text :
       {R"({"x":{"y":1}})", R"({"x":1.5})", R"({"x":[1]})", R"({"x":[["a"]]})", R"({"x":1e400})"}) {
    const auto settings = Parse(text);
    EXPECT_EQ(settings.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(settings.status().message(), HasSubstr("x")) << text;
  }
  for (const char* text : {"[]", "1", R"({"x":1}y)", R"({"x":1,"x":2})", R"({"x")"}) {
    EXPECT_FALSE(Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace headrace::protocol
