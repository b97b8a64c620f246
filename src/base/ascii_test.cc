#include "base/ascii.h"

#include <gtest/gtest.h>

namespace headrace {
namespace {

TEST(AsciiTest, EqualsIgnoringCase_KnowsLettersOnly) {
  EXPECT_TRUE(EqualsIgnoringCase("Content-TYPE", "content-type"));
  EXPECT_TRUE(EqualsIgnoringCase("", ""));
  EXPECT_FALSE(EqualsIgnoringCase("a", "ab"));
  EXPECT_FALSE(EqualsIgnoringCase("[", "{")) << "32 apart, as letters are";
  EXPECT_FALSE(EqualsIgnoringCase("\xc4", "\xe4"));
}

TEST(AsciiTest, TrimBlanks_LeavesWhatIsInside) {
  EXPECT_EQ(TrimBlanks(" \t a b\t "), "a b");
  EXPECT_EQ(TrimBlanks(" \t"), "");
  EXPECT_EQ(TrimBlanks("\na\r"), "\na\r");
}

TEST(AsciiTest, IsHeaderName_AsTheStandardHasIt) {
  EXPECT_TRUE(IsHeaderName("X-Client_1.~"));
  for (const char* const bad : {"", "a b", "a:b", "a\r", "\xc3\xa4", "(a)"}) {
    EXPECT_FALSE(IsHeaderName(bad)) << bad;
  }
}

TEST(AsciiTest, LowerCase_ChangesLettersOnly) {
  EXPECT_EQ(LowerCase("Ab-Z_@[9\xc4"), "ab-z_@[9\xc4");
  EXPECT_EQ(LowerCase(""), "");
}

}  // namespace
}  // namespace headrace
