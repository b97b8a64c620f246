#include "repository/names.h"

#include <gtest/gtest.h>

#include <string>

namespace headrace::repository {
namespace {

TEST(NamesTest, CheckModelName_Accepts_WordsDotsAndDashes) {
  for (const std::string name : {"a", "resnet50", "_x", "0", "model.v1-b", "a.b.c", "resnet"}) {
    EXPECT_TRUE(CheckModelName(name).ok()) << name;
  }
}

TEST(NamesTest, CheckModelName_Accepts128Bytes) {
  EXPECT_TRUE(CheckModelName(std::string(128, 'n')).ok());
}

TEST(NamesTest, CheckModelName_Refuses_EverythingElse) {
  for (const std::string& name :
       {std::string(), std::string(".."), std::string(" .."), std::string(".. "),
        std::string("a/../b"), std::string("/etc/passwd"), std::string("model/"),
        std::string("model/.."), std::string(" "), std::string("a\0b", 3), std::string("a\nb"),
        std::string(129, 'n'), std::string(".hidden"), std::string("-dash"), std::string("a..b"),
        std::string("\xc3\xa4")}) {
    const Status status = CheckModelName(name);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_LT(status.message().size(), 400U);
    EXPECT_EQ(status.message().find('\n'), std::string::npos);
  }
  for (const char c : std::string(";|&$`<>(){}\\\"'*~!?[]#%^=+,:@")) {
    EXPECT_FALSE(CheckModelName(std::string("a") + c).ok()) << c;
  }
}

TEST(NamesTest, CheckLibraryName_NamesFieldAndModel) {
  EXPECT_TRUE(CheckLibraryName("runtime", "libtriton_x.so", "m").ok());
  EXPECT_EQ(
      CheckLibraryName("runtime", "../x.so", "m").message(),
      "invalid runtime name '../x.so' for m: only letters, digits, '_', '-' and '.' are allowed");
}

TEST(NamesTest, ParseVersionName_TakesPositiveDecimalsOnly) {
  EXPECT_EQ(ParseVersionName("1"), 1);
  EXPECT_EQ(ParseVersionName("120"), 120);
  EXPECT_EQ(ParseVersionName("9223372036854775807"), INT64_MAX);
  for (const char* name : {"", "0", "01", "-1", "+1", "1a", " 1", "1 ", "9223372036854775808",
                           "99999999999999999999", "0x1", "1.0", "configs"}) {
    EXPECT_FALSE(ParseVersionName(name)) << name;
  }
}

}  // namespace
}  // namespace headrace::repository
