#include "load/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace headrace::load {
namespace {

using ::testing::HasSubstr;

TEST(JsonDocumentTest, FaultsNameLineAndColumn) {
  const auto document = JsonDocument::Parse("{\n  \"a\": [1, 2,\n   x]\n}", "in.json");
  EXPECT_EQ(document.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(document.status().message(),
              HasSubstr("in.json:3:4: not JSON: this is no JSON value"));
  EXPECT_THAT(JsonDocument::Parse("{\"a\" 1}", "f").status().message(), HasSubstr("f:1:6"));
  EXPECT_THAT(JsonDocument::Parse("[1", "f").status().message(), HasSubstr("the text ends"));
  EXPECT_THAT(JsonDocument::Parse("", "f").status().message(), HasSubstr("f:1:1"));
}

TEST(JsonDocumentTest, FaultFinderAgreesWithTheParser) {
  const std::string good = R"({"a":[1,-2.5e3,true,false,null,"x\u00e9\n"],"b":{"c":[],"d":{}}})";
  EXPECT_FALSE(FindJsonFault(good));
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    for (int changes = 1 + static_cast<int>(random() % 2); changes > 0; --changes) {
      text[random() % text.size()] = "{}[],:\"0x.e-t\\ "[random() % 15];
    }
    simdjson::dom::parser parser;
    const auto error = parser.parse(text).error();
    if (FindJsonFault(text)) {
      EXPECT_NE(error, simdjson::SUCCESS) << text;
    } else {
      // What is beyond the grammar: lone surrogates, numbers that are too large.
      EXPECT_TRUE(error == simdjson::SUCCESS || error == simdjson::STRING_ERROR ||
                  error == simdjson::NUMBER_ERROR)
          << text << ": " << error;
    }
  }
}

TEST(JsonDocumentTest, MembersHaveDefaults) {
  const auto document = JsonDocument::Parse(R"({"s":"x","u":7,"i":-7,"b":true,"l":[1]})", "f");
  ASSERT_TRUE(document.ok());
  const JsonElement root = document->root();
  EXPECT_EQ(StringMember(root, "s"), "x");
  EXPECT_EQ(StringMember(root, "u"), "");
  EXPECT_EQ(UintMember(root, "u"), 7u);
  EXPECT_EQ(UintMember(root, "i", 3), 3u);
  EXPECT_EQ(IntMember(root, "i"), -7);
  EXPECT_TRUE(BoolMember(root, "b"));
  EXPECT_TRUE(ArrayMember(root, "l"));
  EXPECT_FALSE(ArrayMember(root, "s"));
}

}  // namespace
}  // namespace headrace::load
