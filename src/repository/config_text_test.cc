#include "repository/config_text.h"

#include <gtest/gtest.h>

#include <string>

#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

std::string Error(std::string_view text) {
  auto config = ParseConfigText(text, "config.pbtxt");
  return config.ok() ? "parsed" : config.status().message();
}

TEST(ConfigTextTest, Parse_ReadsAllSpellings_OfTextFormat) {
  auto config = ParseConfigText(R"(
# comment
name: "m" max_batch_size: 8
input [ { name: "a" data_type: TYPE_FP32 dims: [ 3, -1 ] }, { name: 'b' data_type: 8 dims: 1 dims: 2 } ]
dynamic_batching { }
parameters { key: "k" value: { string_value: "v" } }
)",
                                "config.pbtxt");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->max_batch_size(), 8);
  EXPECT_EQ(config->input(0).dims(1), -1);
  EXPECT_EQ(config->input(1).data_type(), inference::TYPE_INT32);
  EXPECT_EQ(config->input(1).dims_size(), 2);
  EXPECT_TRUE(config->has_dynamic_batching());
  EXPECT_EQ(config->parameters().at("k").string_value(), "v");
}

TEST(ConfigTextTest, Parse_TakesEmptyText_AsEmptyConfiguration) { EXPECT_EQ(Error(""), "parsed"); }

TEST(ConfigTextTest, Parse_SaysLineAndColumn_OfFirstFault) {
  EXPECT_EQ(Error("name: \"m\"\n  fo: 3\nbar: 4"),
            "config.pbtxt:2:5: Message type \"inference.ModelConfig\" has no field named \"fo\".");
  EXPECT_EQ(Error("input {\n  nam: \"x\"\n}").rfind("config.pbtxt:2:", 0), 0U);
  EXPECT_EQ(Error("max_batch_size: \"x\"").rfind("config.pbtxt:1:17: Expected integer", 0), 0U);
  EXPECT_EQ(Error("max_batch_size: 2147483648").rfind("config.pbtxt:1:17: Integer out of range", 0),
            0U);
  EXPECT_EQ(Error("input { data_type: TYPE_FP33 }").rfind("config.pbtxt:1:", 0), 0U);
  EXPECT_EQ(Error("\n\ninput {").rfind("config.pbtxt:3:", 0), 0U);
  EXPECT_EQ(Error("name: \"a\"\nname: \"b\"").rfind("config.pbtxt:2:", 0), 0U);
  EXPECT_EQ(Error("dynamic_batching { }\nsequence_batching { }").rfind("config.pbtxt:2:", 0), 0U);
  EXPECT_EQ(Error("\x01\x02").rfind("config.pbtxt:1:", 0), 0U);
}

TEST(ConfigTextTest, Parse_RefusesDeepNesting_WithoutDeepStack) {
  std::string deep;
  for (int i = 0; i < 10'000; ++i) {
    deep += "input { ";
  }
  EXPECT_EQ(Error(deep).rfind("config.pbtxt:1:", 0), 0U);
}

TEST(ConfigTextTest, Parse_RefusesTooLongText) {
  const std::string text(kConfigByteSizeMax + 1, '\n');
  EXPECT_EQ(
      Error(text),
      "config.pbtxt: 16777217 bytes are more than the 16777216 that a configuration may have");
}

TEST(ConfigTextTest, Parse_RefusesInvalidUtf8_AlsoWhenEscaped) {
  EXPECT_EQ(Error("name: \"m\"\n# \xff\n"), "config.pbtxt:2:1: the line is not valid UTF-8");
  EXPECT_EQ(Error("name: \"a\\377\""), "config.pbtxt: the value of 'name' is not valid UTF-8");
  EXPECT_EQ(Error("parameters { key: \"\\377\" value { } }"),
            "config.pbtxt: the value of 'parameters.key' is not valid UTF-8");
}

}  // namespace
}  // namespace headrace::repository
