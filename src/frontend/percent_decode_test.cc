#include "frontend/percent_decode.h"

#include <gtest/gtest.h>

namespace headrace::frontend {
namespace {

TEST(PercentDecodeTest, DecodesTriplets_AndLeavesTheRest) {
  EXPECT_EQ(PercentDecode("a%3A%3am"), "a::m");
  EXPECT_EQ(PercentDecode("%2Fmodels%2Fa"), "/models/a");
  EXPECT_EQ(PercentDecode("plain"), "plain");
  EXPECT_EQ(PercentDecode(""), "");
  EXPECT_EQ(PercentDecode("%"), "%");
  EXPECT_EQ(PercentDecode("%4"), "%4");
  EXPECT_EQ(PercentDecode("%zz%-1% 1"), "%zz%-1% 1");
  EXPECT_EQ(PercentDecode("%253A"), "%3A") << "once only";
}

}  // namespace
}  // namespace headrace::frontend
