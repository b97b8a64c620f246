#include "protocol/json_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace headrace::protocol {
namespace {

TEST(JsonWriterTest, PutsCommas_WhereTheyBelong) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject()
      .Key("a")
      .BeginArray()
      .Int(-1)
      .Uint(2)
      .BeginObject()
      .EndObject()
      .BeginArray()
      .EndArray();
  json.EndArray()
      .Key("b")
      .Bool(true)
      .Key("c")
      .Bool(false)
      .Key("d")
      .Raw("null")
      .Key("e")
      .String("x")
      .EndObject();
  EXPECT_EQ(out, R"({"a":[-1,2,{},[]],"b":true,"c":false,"d":null,"e":"x"})");
}

TEST(JsonWriterTest, EscapesStrings) {
  std::string out;
  JsonWriter(out).String(
      std::string_view("a\"\\\b\f\n\r\t\x01\x1f\x7f\0/\xC3\xA9\xF0\x9F\x98\x80z", 20));
  EXPECT_EQ(out,
            "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u0000/\xC3\xA9\xF0\x9F\x98\x80z\"");
}

TEST(JsonWriterTest, ReplacesBytes_ThatAreNotUtf8) {
  const struct {
    std::string_view bytes, text;
  } kCases[] = {{"\xFF", "\uFFFD"},
                {"a\xC0\xAFz", "a\uFFFD\uFFFDz"},
                {"\xE2\x82", "\uFFFD\uFFFD"},
                {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},
                {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},
                {"\x80", "\uFFFD"}};
  for (const auto& c : kCases) {
    std::string out;
    JsonWriter(out).String(c.bytes);
    EXPECT_EQ(out, '"' + std::string(c.text) + '"');
  }
}

TEST(JsonWriterTest, WritesNumbers_InShortestForm) {
  std::string out;
  JsonWriter json(out);
  json.BeginArray()
      .Double(0.1)
      .Double(1)
      .Double(-0.0)
      .Double(1e300)
      .Float(0.1f)
      .Float(16777216.f)
      .Float(1e-45f);
  json.Int(INT64_MIN).Uint(UINT64_MAX).EndArray();
  EXPECT_EQ(out,
            "[0.1,1.0,-0.0,1e+300,0.1,16777216.0,1e-45,-9223372036854775808,18446744073709551615]");
}

TEST(JsonWriterTest, WritesNull_ForWhatJsonLacks) {
  std::string out;
  JsonWriter(out)
      .BeginArray()
      .Double(std::numeric_limits<double>::infinity())
      .Float(NAN)
      .EndArray();
  EXPECT_EQ(out, "[null,null]");
}

TEST(JsonWriterTest, LongestNumbers_FitTheirRoom) {
  for (const double value :
       {-std::numeric_limits<double>::max(), -std::numeric_limits<double>::denorm_min(),
        -1.2345678901234567e-300, -123456789012345678.0}) {
    char digits[kNumberByteSizeMax];
    EXPECT_LE(WriteNumber(digits, value) - digits, 32);
  }
}

TEST(JsonWriterTest, ErrorJson_IsOneObject) {
  EXPECT_EQ(ErrorJson("a \"b\""), R"({"error":"a \"b\""})");
}

}  // namespace
}  // namespace headrace::protocol
