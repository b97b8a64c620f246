#include "protocol/json_number.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>

namespace headrace::protocol {
namespace {

template <typename T>
bool SameBits(T a, T b) {
  return a == b && std::signbit(a) == std::signbit(b);
}

// The C library rounds correctly: it is the judge.
void ExpectLikeLibrary(const std::string& text) {
  double wide = 0;
  const char* end = ParseNumber(text.c_str(), &wide);
  const double library = std::strtod(text.c_str(), nullptr);
  EXPECT_EQ(end != nullptr, std::isfinite(library)) << text;
  if (end != nullptr) {
    EXPECT_EQ(end, text.c_str() + text.size()) << text;
    EXPECT_TRUE(SameBits(wide, library)) << text << " " << wide;
  }
  float narrow = 0;
  end = ParseNumber(text.c_str(), &narrow);
  const float library_narrow = std::strtof(text.c_str(), nullptr);
  EXPECT_EQ(end != nullptr, std::isfinite(library_narrow)) << text;
  if (end != nullptr) {
    EXPECT_TRUE(SameBits(narrow, library_narrow)) << text << " " << narrow;
  }
}

TEST(JsonNumberTest, RoundsLikeTheLibrary_AtHardPlaces) {
  for (const char* text : {"0",
                           "-0",
                           "0.0",
                           "-0.0e5",
                           "1",
                           "-1",
                           "16777217",
                           "16777219",
                           "9007199254740993",
                           "9007199254740992.5",
                           "0.1",
                           "0.10000000149011612",
                           "3.4028234663852886e38",
                           "3.4028235677973366e38",
                           "3.4028235677973362e38",
                           "1.7976931348623157e308",
                           "1.7976931348623159e308",
                           "4.9e-324",
                           "2.4e-324",
                           "1e-400",
                           "1e400",
                           "1e-45",
                           "7e-46",
                           "1.1754943508222875e-38",
                           "1.17549429e-38",
                           "2.2250738585072011e-308",
                           "123456789012345678901234567890",
                           "0.000000000000000000000000000000000000001",
                           "1e22",
                           "1e23",
                           "9999999999999999999",
                           "99999999999999999999",
                           "1.00000005960464477539062",
                           "1.00000005960464477539063",
                           "1.000000059604644775390625",
                           "1e999999999999999999999",
                           "1e-999999999999999999999",
                           "0e999999999999",
                           "0.00000e5",
                           "1E+2",
                           "1.5e-0"}) {
    ExpectLikeLibrary(text);
  }
}

TEST(JsonNumberTest, RoundsLikeTheLibrary_OnRandomNumbers) {
  std::mt19937_64 random(20260101);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t bits = random();
    const auto narrow = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    const auto wide = std::bit_cast<double>(bits);
    if (std::isfinite(narrow)) {
      ExpectLikeLibrary(fmt::format("{}", narrow));
      ExpectLikeLibrary(fmt::format("{}", static_cast<double>(narrow)));
      // The middle between two floats, and its neighbours.
      const double middle = (static_cast<double>(narrow) + std::nextafter(narrow, 2.f)) / 2;
      ExpectLikeLibrary(fmt::format("{:.17g}", middle));
      ExpectLikeLibrary(fmt::format("{:.17g}", std::nextafter(middle, 0.0)));
    }
    if (std::isfinite(wide)) {
      ExpectLikeLibrary(fmt::format("{}", wide));
    }
    ExpectLikeLibrary(fmt::format("{}.{}e{}", bits % 1000, bits >> (bits % 64),
                                  static_cast<int>(bits % 700) - 350));
  }
}

TEST(JsonNumberTest, RoundTripsIntegers_OfAllWidths) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = random() >> (random() % 64);
    std::uint64_t read = 0;
    EXPECT_NE(ParseNumber(std::to_string(value).c_str(), &read), nullptr);
    EXPECT_EQ(read, value);
    const auto negative = static_cast<std::int64_t>(value);
    std::int64_t read_signed = 0;
    EXPECT_NE(ParseNumber(std::to_string(negative).c_str(), &read_signed), nullptr);
    EXPECT_EQ(read_signed, negative);
    std::int16_t narrow = 0;
    EXPECT_EQ(ParseNumber(std::to_string(negative).c_str(), &narrow) != nullptr,
              negative >= INT16_MIN && negative <= INT16_MAX);
  }
}

TEST(JsonNumberTest, Scan_FollowsTheGrammar) {
  for (const char* text : {"", "-", "+1", "01", "-01", "00", ".5", "5.", "5.e1", "1e", "1e+", "1e-",
                           "e5", "NaN", "x"}) {
    EXPECT_EQ(ScanNumber(text).end, nullptr) << text;
    double wide = 0;
    EXPECT_EQ(ParseNumber(text, &wide), nullptr) << text;
    std::int64_t integer = 0;
    EXPECT_EQ(ParseNumber(text, &integer), nullptr) << text;
  }
  for (const char* text : {"0", "-0", "10", "0.5", "1e5", "1E-5", "1.5e+10"}) {
    EXPECT_NE(ScanNumber(text).end, nullptr) << text;
  }
  EXPECT_TRUE(ScanNumber("12]").integer);
  EXPECT_FALSE(ScanNumber("1e2]").integer);
}

}  // namespace
}  // namespace headrace::protocol
