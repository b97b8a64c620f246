#include "base/duration_text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace headrace {
namespace {

TEST(DurationTextTest, HasSoManyDigitsAndAUnit) {
  EXPECT_EQ(DurationText(Nanos{950}), "950 ns");
  EXPECT_EQ(DurationText(12'345.0), "12.3 us");
  EXPECT_EQ(DurationText(12'345.0, 2), "12 us");
  EXPECT_EQ(DurationText(12'345.0, 4), "12.35 us");
  EXPECT_EQ(DurationText(1'204'000.0), "1.20 ms");
  EXPECT_EQ(DurationText(150 * kMillisecond), "150 ms");
  EXPECT_EQ(DurationText(150 * kMillisecond, 4), "150.0 ms");
  EXPECT_EQ(DurationText(2.5e9), "2.50 s");
  EXPECT_EQ(DurationText(12'346 * kSecond), "12346 s");
}

TEST(DurationTextTest, RoundsUpIntoTheNextUnitAndDigit) {
  EXPECT_EQ(DurationText(999'700.0), "1.00 ms");
  EXPECT_EQ(DurationText(999'400.0), "999 us");
  EXPECT_EQ(DurationText(9'996'000.0), "10.0 ms");
  EXPECT_EQ(DurationText(99'960'000.0), "100 ms");
  EXPECT_EQ(DurationText(999'700.0, 4), "999.7 us");
}

TEST(DurationTextTest, WhatIsNoTimeIsNever) {
  EXPECT_EQ(DurationText(0.0), "0 ns");
  EXPECT_EQ(DurationText(HUGE_VAL), "never");
  EXPECT_EQ(DurationText(std::nan("")), "never");
  EXPECT_EQ(DurationText(kNever), "never");
}

}  // namespace
}  // namespace headrace
