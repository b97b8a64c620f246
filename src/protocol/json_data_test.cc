#include "protocol/json_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "protocol/v2_test_support.h"

namespace headrace::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JsonDataTest : public ::testing::Test, public CodecFixture {};

TEST_F(JsonDataTest, ReadsEachType) {
  EXPECT_THAT(Data<std::uint8_t>("BOOL", "[3]", "[true,false, true ]"), ElementsAre(1, 0, 1));
  EXPECT_THAT(Data<std::uint8_t>("UINT8", "[2]", "[0,255]"), ElementsAre(0, 255));
  EXPECT_THAT(Data<std::int8_t>("INT8", "[2]", "[-128,127]"), ElementsAre(-128, 127));
  EXPECT_THAT(Data<std::uint16_t>("UINT16", "[1]", "[65535]"), ElementsAre(65535));
  EXPECT_THAT(Data<std::int16_t>("INT16", "[2]", "[-32768,32767]"), ElementsAre(-32768, 32767));
  EXPECT_THAT(Data<std::uint32_t>("UINT32", "[1]", "[4294967295]"), ElementsAre(4294967295u));
  EXPECT_THAT(Data<std::int32_t>("INT32", "[2]", "[-2147483648,2147483647]"),
              ElementsAre(INT32_MIN, INT32_MAX));
  EXPECT_THAT(Data<std::uint64_t>("UINT64", "[1]", "[18446744073709551615]"),
              ElementsAre(UINT64_MAX));
  EXPECT_THAT(Data<std::int64_t>("INT64", "[2]", "[-9223372036854775808,9223372036854775807]"),
              ElementsAre(INT64_MIN, INT64_MAX));
  EXPECT_THAT(Data<float>("FP32", "[4]", "[0.5,-1,1e3,16777217]"),
              ElementsAre(0.5f, -1.f, 1000.f, 16777216.f));
  EXPECT_THAT(Data<double>("FP64", "[3]", "[0.1,-2.5e-3,1E+2]"), ElementsAre(0.1, -2.5e-3, 100.0));
  EXPECT_THAT(Data<char>("BYTES", "[2]", R"(["ab",""])"),
              ElementsAre(2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0));
}

TEST_F(JsonDataTest, AcceptsBlanks_BetweenAllTokens) {
  EXPECT_THAT(Data<std::int8_t>("INT8", "[2,1]", " [\t[ 1 ]\r\n, [\n2 ] ] "), ElementsAre(1, 2));
}

TEST_F(JsonDataTest, AcceptsRegularNesting_OfAnyDepth) {
  for (const std::string_view data :
       {"[1,2,3,4]", "[[1,2],[3,4]]", "[[1,2,3,4]]", "[[[[1]],[[2]],[[3]],[[4]]]]"}) {
    EXPECT_THAT(Data<std::int8_t>("INT8", "[2,2]", data), ElementsAre(1, 2, 3, 4)) << data;
  }
  for (const std::string_view data : {"[]", "[[]]", "[[],[]]"}) {
    EXPECT_EQ(ErrorOfData("INT8", "[2,0]", data), "") << data;
  }
}

TEST_F(JsonDataTest, RefusesIrregularNesting) {
  for (const std::string_view data :
       {"[[1,2],[3],[4]]", "[1,[2],3,4]", "[[1],2,[3],[4]]", "[[1,2],3,4]", "[[1,2,3,4],[]]",
        "[[],[1,2,3,4]]", "[[[1],[2]],[[3,4]]]", "[[[1,2]],[3,4]]", "[[1,2],[[3,4]]]",
        "[[],1,2,3,4]"}) {
    EXPECT_THAT(ErrorOfData("INT8", "[4]", data),
                HasSubstr("Unable to parse 'data': Shape does not match true shape"))
        << data;
  }
}

TEST_F(JsonDataTest, RefusesCounts_ThatAreNotTheShapes) {
  const struct {
    std::string_view shape, data;
  } kCases[] = {{"[3]", "[1,2]"}, {"[1]", "[1,2]"},     {"[0]", "[1]"},
                {"[1]", "[]"},    {"[2,2]", "[[1,2]]"}, {"[1000000000]", "[1]"},
                {"[]", "[]"},     {"[]", "[1,2]"},      {"[2]", "[[1]]"}};
  for (const auto& c : kCases) {
    EXPECT_THAT(
        ErrorOfData("INT8", c.shape, c.data),
        HasSubstr("Unable to parse 'data': Shape does not match true shape of 'data' field"))
        << c.data;
  }
  EXPECT_THAT(ErrorOfData("BYTES", "[2]", R"(["a"])"), HasSubstr("fewer than the 2"));
  EXPECT_THAT(ErrorOfData("BOOL", "[1]", "[true,false]"), HasSubstr("more than the 1"));
  EXPECT_THAT(Data<std::int8_t>("INT8", "[]", "[7]"), ElementsAre(7));
}

TEST_F(JsonDataTest, NamesTheElement_ThatTheTypeCannotHold) {
  const struct {
    std::string_view dtype, data, message;
  } kCases[] = {
      {"INT8", "[1,300]", "inputs[0].data[1]: 300 is out of range for INT8"},
      {"INT8", "[[1],[-129]]", "inputs[0].data[1]: -129 is out of range for INT8"},
      {"UINT8", "[1,256]", "inputs[0].data[1]: 256 is out of range for UINT8"},
      {"UINT32", "[1,-1]", "inputs[0].data[1]: -1 is out of range for UINT32"},
      {"UINT64", "[1,18446744073709551616]",
       "inputs[0].data[1]: 18446744073709551616 is out of range for UINT64"},
      {"INT64", "[1,-9223372036854775809]", "is out of range for INT64"},
      {"INT64", "[1,9223372036854775808]", "is out of range for INT64"},
      {"INT32", "[1,1.5]", "inputs[0].data[1]: 1.5 is not an integer, as needed for INT32"},
      {"INT32", "[1,1.0]", "1.0 is not an integer"},
      {"INT32", "[1,1e2]", "1e2 is not an integer"},
      {"INT32", R"([1,"1"])", "inputs[0].data[1]: INT32 needs a number, got a string"},
      {"INT32", "[1,null]", "INT32 needs a number, got null"},
      {"INT32", "[1,true]", "INT32 needs a number, got true"},
      {"INT32", "[1,{}]", "INT32 needs a number, got an object"},
      {"BOOL", "[true,1]", "inputs[0].data[1]: BOOL needs true or false, got a number"},
      {"BOOL", R"([true,"true"])", "BOOL needs true or false, got a string"},
      {"BYTES", R"(["a",1])", "inputs[0].data[1]: BYTES needs a string, got a number"},
      {"FP64", "[1,1e400]", "inputs[0].data[1]: 1e400 is out of range for FP64"},
      {"FP64", "[1,-1e400]", "-1e400 is out of range for FP64"},
      {"FP32", "[1,1e39]", "1e39 is out of range for FP32"},
      {"FP32", "[1,3.4028236e38]", "is out of range for FP32"},
      {"FP32", R"([1,"NaN"])", "FP32 needs a number, got a string"},
      {"FP16", "[1,2]",
       "receiving FP16 data via JSON is not supported. Please use the binary data format for input "
       "x"},
      {"BF16", "[1,2]",
       "receiving BF16 data via JSON is not supported. Please use the binary data format for input "
       "x"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(ErrorOfData(c.dtype, "[2]", c.data), HasSubstr(c.message)) << c.dtype << c.data;
  }
}

TEST_F(JsonDataTest, ShowsLongNumbers_Cut) {
  EXPECT_THAT(ErrorOfData("INT8", "[1]", "[" + std::string(1000, '9') + "]"),
              HasSubstr(std::string(32, '9') + "... is out of range"));
}

TEST_F(JsonDataTest, RefusesTokens_ThatAreNotJson) {
  for (const std::string_view token :
       {"NaN", "Infinity", "-Infinity", "nan", "0x1", "01",  "-01",     "+1",   ".5",  "5.",
        "1e",  "1e+",      "-",         "--1", "1_0", "1x",  "tru",     "nul",  "1 2", ",1",
        "1,",  "",         "]",         "1]",  "{",   "'a'", "\\u0031", "1.e5", "1..5"}) {
    for (const std::string_view dtype : {"FP32", "FP64", "INT32", "UINT8", "BOOL", "BYTES"}) {
      EXPECT_NE(ErrorOfData(dtype, "[2]", fmt::format("[1,{}]", token)), "") << dtype << token;
      EXPECT_NE(ErrorOfData(dtype, "[1]", fmt::format("[{}]", token)), "") << dtype << token;
    }
  }
}

TEST_F(JsonDataTest, RefusesData_ThatIsNoArray) {
  for (const std::string_view data : {"1", "\"a\"", "{}", "null", "true"}) {
    EXPECT_THAT(ErrorOfData("FP32", "[1]", data),
                HasSubstr("Unable to parse 'data': attempt to access JSON non-array as array"))
        << data;
  }
}

TEST_F(JsonDataTest, TakesNumbersTooSmall_AsZero) {
  const auto values = Data<double>("FP64", "[4]", "[1e-400,-1e-400,-0,-0.0]");
  ASSERT_EQ(values.size(), 4u);
  for (const double value : values) {
    EXPECT_EQ(value, 0.0);
  }
  EXPECT_FALSE(std::signbit(values[0]));
  EXPECT_TRUE(std::signbit(values[1]));
  EXPECT_THAT(Data<float>("FP32", "[2]", "[1e-60,1.4e-45]"),
              ElementsAre(0.f, std::numeric_limits<float>::denorm_min()));
  EXPECT_THAT(Data<std::uint32_t>("UINT32", "[1]", "[-0]"), ElementsAre(0u));
}

TEST_F(JsonDataTest, ReadsStrings_WithEscapesAnywhere) {
  const std::string plain(100, 'p');
  const std::string escapes = R"(\"\\\/\b\f\n\r\tA)" + plain + R"(\u00e9)";
  const auto values = Data<char>("BYTES", "[3]", "[\"" + plain + "\",\"" + escapes + "\",\"]\"]");
  const std::string text(values.begin(), values.end());
  EXPECT_EQ(text.size(), 4 + 100 + 4 + 9 + 100 + 2 + 4 + 1);
  EXPECT_THAT(text, HasSubstr("\"\\/\b\f\n\r\tA" + plain + "\xC3\xA9"));
  for (const std::string_view bad :
       {R"(["\x"])", R"(["\ud800"])", R"(["\u12"])", R"(["\udc00\ud800"])", R"(["a\"])"}) {
    EXPECT_NE(ErrorOfData("BYTES", "[1]", bad), "") << bad;
  }
}

TEST_F(JsonDataTest, ReadsManyAndLongStrings_InLinearTime) {
  constexpr std::size_t kCount = 1'000'000;
  std::string empty = "[\"\"";
  for (std::size_t i = 1; i < kCount; ++i) {
    empty += ",\"\"";
  }
  EXPECT_EQ(Data<char>("BYTES", "[1000000]", empty + "]").size(), 4 * kCount);
  std::string escaped = "[\"";
  for (std::size_t i = 0; i < kCount; ++i) {
    escaped += "\\n";
  }
  EXPECT_EQ(Data<char>("BYTES", "[1]", escaped + "\"]").size(), 4 + kCount);
}

}  // namespace
}  // namespace headrace::protocol
