#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "protocol/multipart.h"
#include "protocol/urlencoded.h"

namespace headrace::protocol {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// "name(type)=value" of each part.
std::vector<std::string> Shown(std::string_view bytes, const std::vector<FormPart>& parts) {
  std::vector<std::string> shown;
  for (const FormPart& part : parts) {
    shown.push_back(part.name + "(" + part.type +
                    ")=" + std::string(bytes.substr(part.offset, part.byte_size)));
  }
  return shown;
}

std::vector<std::string> Multipart(const std::string& body, std::string_view boundary = "B") {
  const auto parts = ParseMultipart(body, boundary);
  return parts.ok() ? Shown(body, *parts) : std::vector<std::string>{parts.status().message()};
}

std::vector<std::string> Urlencoded(std::string_view body) {
  const auto form = ParseUrlencoded(body);
  return form.ok() ? Shown(form->values, form->parts)
                   : std::vector<std::string>{form.status().message()};
}

TEST(MultipartTest, Parse_FindsFieldsAndFiles) {
  EXPECT_THAT(Multipart("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n"
                        "--B\r\ncontent-disposition: form-data; name=b; filename=\"x.json\"\r\n"
                        "Content-Type: application/json; charset=utf-8\r\n\r\n{}\r\n"
                        "--B\r\nContent-Disposition: form-data; filename=x; "
                        "name=\"q\\\"\\\\c:\\t\"\r\n\r\n\r\n--x\r\n\r\n--B--\r\n"),
              ElementsAre("a()=value", "b(application/json)={}",
                          "q\"\\c:\\t(application/octet-stream)=\r\n--x\r\n"));
}

TEST(MultipartTest, Parse_TakesEmptyPartsPreambleAndPadding) {
  EXPECT_THAT(
      Multipart(
          "preamble\r\n--B \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n--B--"),
      ElementsAre("a()="));
  // The boundary may share the line's end of the head.
  EXPECT_THAT(Multipart("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n--B--"),
              ElementsAre("a()="));
  EXPECT_THAT(Multipart("--B--\r\nepilogue"), IsEmpty());
  // A field says no type, also if it does.
  EXPECT_THAT(Multipart("--B\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; "
                        "name=a\r\n\r\nx\r\n--B--"),
              ElementsAre("a()=x"));
}

TEST(MultipartTest, Parse_RefusesWhatIsCutShort) {
  const std::string body =
      "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--B--";
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(ParseMultipart(body.substr(0, size), "B").ok()) << size;
  }
  EXPECT_TRUE(ParseMultipart(body, "B").ok());
}

TEST(MultipartTest, Parse_RefusesPartsThatAreWrong) {
  EXPECT_THAT(Multipart("--B\r\nX: y\r\n\r\nv\r\n--B--"), ElementsAre(HasSubstr("has no name")));
  EXPECT_THAT(Multipart("--B\r\n\r\nv\r\n--B--"), ElementsAre(HasSubstr("has no name")));
  EXPECT_THAT(Multipart("--B\r\nno colon\r\n\r\nv\r\n--B--"), ElementsAre(HasSubstr("no colon")));
  EXPECT_THAT(Multipart("--Bx\r\n\r\nv\r\n--B--"), ElementsAre(HasSubstr("end of its line")));
  EXPECT_THAT(Multipart("--B\r\nX: " + std::string(17'000, 'x') + "\r\n\r\nv\r\n--B--"),
              ElementsAre(HasSubstr("more than 16384 bytes")));
  std::string many;
  for (std::size_t i = 0; i <= kFormPartCountMax; ++i) {
    many += "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
  }
  EXPECT_THAT(Multipart(many + "--B--"), ElementsAre(HasSubstr("more than 1024 parts")));
}

TEST(MultipartTest, Boundary_IsTakenFromTheContentType) {
  EXPECT_EQ(MultipartBoundary("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(MultipartBoundary("multipart/form-data; charset=x; Boundary=\"a b:c\" ; y=z"), "a b:c");
  EXPECT_EQ(MultipartBoundary("multipart/form-data"), std::nullopt);
  EXPECT_EQ(MultipartBoundary("multipart/form-data; boundary="), std::nullopt);
  EXPECT_EQ(MultipartBoundary("multipart/form-data; boundary=" + std::string(71, 'x')),
            std::nullopt);
}

TEST(UrlencodedTest, Parse_DecodesNamesAndValues) {
  EXPECT_THAT(Urlencoded("a=1&b+c=d%20e%2B+f&novalue&=x&e="),
              ElementsAre("a()=1", "b c()=d e+ f", "novalue()=", "()=x", "e()="));
  EXPECT_THAT(Urlencoded("a&b"), ElementsAre("a()="));
  EXPECT_THAT(Urlencoded("&a=1&&"), ElementsAre("a()=1"));
  EXPECT_THAT(Urlencoded(""), IsEmpty());
  EXPECT_THAT(Urlencoded("a=%0G"), ElementsAre(HasSubstr("two hexadecimal digits")));
  EXPECT_THAT(Urlencoded("a=%2"), ElementsAre(HasSubstr("two hexadecimal digits")));
  std::string many;
  for (std::size_t i = 0; i <= kFormPartCountMax; ++i) {
    many += "a=1&";
  }
  EXPECT_THAT(Urlencoded(many), ElementsAre(HasSubstr("more than 1024 fields")));
}

TEST(UrlencodedTest, PercentDecode_LeavesPlusInPaths) {
  EXPECT_EQ(*PercentDecode("a+b%2fc", false), "a+b/c");
}

TEST(FormPartTest, MediaType_IsWithoutParameters) {
  EXPECT_EQ(MediaType(" Text/Plain ; charset=x"), "Text/Plain");
  EXPECT_EQ(MediaType(""), "");
}

TEST(PercentDecodeWherePossibleTest, DecodesTriplets_AndLeavesTheRest) {
  EXPECT_EQ(PercentDecodeWherePossible("a%3A%3am"), "a::m");
  EXPECT_EQ(PercentDecodeWherePossible("%2Fmodels%2Fa"), "/models/a");
  EXPECT_EQ(PercentDecodeWherePossible("plain"), "plain");
  EXPECT_EQ(PercentDecodeWherePossible(""), "");
  EXPECT_EQ(PercentDecodeWherePossible("%"), "%");
  EXPECT_EQ(PercentDecodeWherePossible("%4"), "%4");
  EXPECT_EQ(PercentDecodeWherePossible("%zz%-1% 1"), "%zz%-1% 1");
  EXPECT_EQ(PercentDecodeWherePossible("%253A"), "%3A") << "once only";
}

}  // namespace
}  // namespace headrace::protocol
