#include "server/java_properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace headrace::server {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

Properties Parsed(std::string_view text) {
  auto properties = ParseProperties(text);
  EXPECT_TRUE(properties.ok()) << properties.status().message();
  return properties.ok() ? *properties : Properties();
}

std::string Refused(std::string_view text) {
  const auto properties = ParseProperties(text);
  EXPECT_FALSE(properties.ok());
  return properties.status().message();
}

TEST(JavaPropertiesTest, Parse_TakesAllThreeSeparators) {
  EXPECT_THAT(Parsed("a=1\nb : 2\nc 3\nd\n=4\n  e\t=  5 \n"),
              ElementsAre(Pair("", "4"), Pair("a", "1"), Pair("b", "2"), Pair("c", "3"),
                          Pair("d", ""), Pair("e", "5 ")));
}

TEST(JavaPropertiesTest, Parse_LeavesCommentsAndEmptyLinesOut) {
  EXPECT_THAT(Parsed("# a=1\n  ! b=2\n\n \t\nc=#3\r\n#d\\\ne=4\r"),
              ElementsAre(Pair("c", "#3"), Pair("e", "4")));
}

TEST(JavaPropertiesTest, Parse_JoinsLinesThatGoOn) {
  EXPECT_THAT(Parsed("models={\\\n  \"a\": {\\\r\n   }\\\n}\nb=x\\\\\nc=y\\"),
              ElementsAre(Pair("b", "x\\"), Pair("c", "y"), Pair("models", "{\"a\": {}}")));
}

TEST(JavaPropertiesTest, Parse_KeepsSeparatorsBehindTheFirst) {
  EXPECT_THAT(Parsed("inference_address=http://0.0.0.0:8080\nvmargs=-Xmx1g -Da=b"),
              ElementsAre(Pair("inference_address", "http://0.0.0.0:8080"),
                          Pair("vmargs", "-Xmx1g -Da=b")));
}

TEST(JavaPropertiesTest, Parse_Unescapes) {
  EXPECT_THAT(Parsed("a\\=b\\ c=\\t\\u00e9\\u20AC\\ud83d\\ude00\\q\\\\"),
              ElementsAre(Pair("a=b c", "\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80q\\")));
}

TEST(JavaPropertiesTest, Parse_TakesTheLastOfEqualKeys) {
  EXPECT_THAT(Parsed("a=1\na=2"), ElementsAre(Pair("a", "2")));
}

TEST(JavaPropertiesTest, Parse_NamesTheLine_OfWhatIsNoText) {
  EXPECT_THAT(Refused("a=1\nb=\\u12"), HasSubstr("line 2"));
  EXPECT_THAT(Refused("b=\\u12x4"), HasSubstr("line 1"));
  EXPECT_THAT(Refused("\n\nb=\\ud800"), HasSubstr("line 3"));
  EXPECT_THAT(Refused("b=\\ud800\\u0041"), HasSubstr("line 1"));
  EXPECT_THAT(Refused("b=\\udc00"), HasSubstr("line 1"));
  EXPECT_THAT(Refused(std::string_view("a=1\nb\0=2", 8)), HasSubstr("line 2"));
}

TEST(JavaPropertiesTest, Parse_RefusesWhatIsTooLarge) {
  std::string many;
  for (std::size_t i = 0; i <= kPropertiesCountMax; ++i) {
    many += "k" + std::to_string(i) + "=\n";
  }
  EXPECT_THAT(Refused(many), HasSubstr("keys"));
  EXPECT_THAT(Refused(std::string(kPropertiesByteSizeMax + 1, ' ')), HasSubstr("bytes"));
}

TEST(JavaPropertiesTest, Parse_TakesEmptyText) {
  EXPECT_THAT(Parsed(""), IsEmpty());
  EXPECT_THAT(Parsed("\\"), ElementsAre(Pair("", "")));
}

class ExpandTest : public testing::Test {
 protected:
  Result<std::string> Expand(std::string_view value) {
    return ExpandVariables(value, [this](const char* name) -> const char* {
      const auto found = variables_.find(name);
      return found == variables_.end() ? nullptr : found->second.c_str();
    });
  }
  std::map<std::string, std::string> variables_ = {
      {"HOST", "0.0.0.0"}, {"PORT", "80"}, {"LOOP", "$$LOOP$$"}, {"EMPTY", ""}};
};

TEST_F(ExpandTest, Expand_ReplacesEachVariable) {
  EXPECT_EQ(*Expand("http://$$HOST$$:$$PORT$$/"), "http://0.0.0.0:80/");
  EXPECT_EQ(*Expand("[$$EMPTY$$]"), "[]");
  EXPECT_EQ(*Expand("plain $1 $"), "plain $1 $");
}

TEST_F(ExpandTest, Expand_DoesNotLookAtValuesAgain) { EXPECT_EQ(*Expand("$$LOOP$$"), "$$LOOP$$"); }

TEST_F(ExpandTest, Expand_LeavesWhatIsNoPair) {
  EXPECT_EQ(*Expand("$$HOST"), "$$HOST");
  EXPECT_EQ(*Expand("$$$$"), "$$$$");
  EXPECT_EQ(*Expand("$$"), "$$");
}

TEST_F(ExpandTest, Expand_RefusesAVariableThatIsNotSet) {
  const auto expanded = Expand("$$HOST$$ $$MISSING$$");
  ASSERT_FALSE(expanded.ok());
  EXPECT_THAT(expanded.status().message(), HasSubstr("$$MISSING$$"));
}

}  // namespace
}  // namespace headrace::server
