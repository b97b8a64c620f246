#include "base/checked_math.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace headrace {
namespace {

TEST(CheckedMathTest, Add_SaysWhenItOverflows) {
  EXPECT_EQ(CheckedAdd<std::int64_t>(2, 3), 5);
  EXPECT_EQ(CheckedAdd<std::int64_t>(INT64_MAX, 0), INT64_MAX);
  EXPECT_EQ(CheckedAdd<std::int64_t>(INT64_MAX, 1), std::nullopt);
  EXPECT_EQ(CheckedAdd<std::int64_t>(INT64_MIN, -1), std::nullopt);
  EXPECT_EQ(CheckedAdd<std::uint8_t>(250, 5), 255);
  EXPECT_EQ(CheckedAdd<std::uint8_t>(250, 6), std::nullopt);
}

TEST(CheckedMathTest, Multiply_SaysWhenItOverflows) {
  EXPECT_EQ(CheckedMultiply<std::uint64_t>(std::uint64_t{1} << 32, (std::uint64_t{1} << 32) - 1),
            UINT64_MAX - UINT32_MAX);
  EXPECT_EQ(CheckedMultiply<std::uint64_t>(std::uint64_t{1} << 32, std::uint64_t{1} << 32),
            std::nullopt);
  EXPECT_EQ(CheckedMultiply<std::int64_t>(INT64_MIN, -1), std::nullopt);
  EXPECT_EQ(CheckedMultiply<std::int64_t>(INT64_MAX, 0), 0);
}

TEST(CheckedMathTest, ParseDecimal_TakesTheWholeTextOrNothing) {
  EXPECT_EQ(ParseDecimal<int>("42"), 42);
  EXPECT_EQ(ParseDecimal<int>("-42"), -42);
  EXPECT_EQ(ParseDecimal<std::uint64_t>("18446744073709551615"), UINT64_MAX);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x10", "1.0", "-", "--1", "1,2"}) {
    EXPECT_EQ(ParseDecimal<int>(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseDecimal<int>(std::string_view("1\0", 2)), std::nullopt);
}

TEST(CheckedMathTest, ParseDecimal_RefusesWhatDoesNotFit) {
  EXPECT_EQ(ParseDecimal<std::int64_t>("9223372036854775808"), std::nullopt);
  EXPECT_EQ(ParseDecimal<std::uint64_t>("18446744073709551616"), std::nullopt);
  EXPECT_EQ(ParseDecimal<unsigned>("-1"), std::nullopt);
  EXPECT_EQ(ParseDecimal<std::int8_t>("128"), std::nullopt);
  EXPECT_EQ(ParseDecimal<std::int8_t>("-128"), -128);
}

}  // namespace
}  // namespace headrace
