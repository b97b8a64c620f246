#include "protocol/repository_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/base64.h"
#include "protocol/json_cursor.h"

namespace headrace::protocol {
namespace {

using ::testing::HasSubstr;

// `text` with the readable bytes behind it that a parser needs.
class Padded {
 public:
  explicit Padded(std::string_view text)
      : bytes_(std::string(text) + std::string(JsonCursor::kPadding, '"')), size_(text.size()) {}
  std::string_view view() const { return std::string_view(bytes_).substr(0, size_); }

 private:
  std::string bytes_;
  std::size_t size_;
};

TEST(RepositoryIndexRequestTest, ReadsReady) {
  EXPECT_FALSE(ParseRepositoryIndexRequest("")->ready_only);
  EXPECT_FALSE(ParseRepositoryIndexRequest(Padded("{}").view())->ready_only);
  EXPECT_TRUE(ParseRepositoryIndexRequest(Padded(R"({"ready":true,"x":[1]})").view())->ready_only);
}

TEST(RepositoryIndexRequestTest, RefusesOtherTexts) {
  for (const std::string& text :
       {std::string("[]"), std::string(R"({"ready":1})"), std::string(R"({"ready":true)"),
        std::string(R"({"ready":true}x)"),
        R"({"x":)" + std::string(250'000, '[') + std::string(250'000, ']') + "}"}) {
    EXPECT_EQ(ParseRepositoryIndexRequest(Padded(text).view()).status().code(),
              StatusCode::kInvalidArgument);
  }
}

TEST(ModelLoadRequestTest, ReadsConfigAndFiles) {
  const auto request = ParseModelLoadRequest(
      Padded(
          R"({"parameters":{"file:1/model.onnx":"AAEC","config":"{\"backend\":\"x\"}","file:a":""}})")
          .view());
  ASSERT_TRUE(request.ok()) << request.status().message();
  EXPECT_EQ(request->config, R"({"backend":"x"})");
  ASSERT_EQ(request->files.size(), 2u);
  EXPECT_EQ(request->files[0].path, "1/model.onnx");
  EXPECT_EQ(request->files[0].content, std::string_view("\0\1\2", 3));
  EXPECT_EQ(request->files[1].content, "");
  EXPECT_EQ(ParseModelLoadRequest("")->config, std::nullopt);
  EXPECT_EQ(ParseModelLoadRequest(Padded("{}").view())->config, std::nullopt);
}

TEST(ModelLoadRequestTest, RefusesWhatTheContractDoesNotName) {
  const struct {
    std::string_view body, message;
  } kCases[] = {
      {R"({"parameters":{"other":"x"}})", "unexpected error on creating Triton parameter: 'other'"},
      {R"({"parameters":{"config":1}})",
       "Unable to parse 'config': attempt to access JSON non-string as string"},
      {R"({"parameters":{"file:a":"AAEC"}})",
       "'config' must be given together with 'file:' parameters"},
      {R"({"parameters":{"config":"","file:":"AAEC"}})", "needs a path"},
      {R"({"parameters":{"config":"","file:a\u0000":"AAEC"}})", "needs a path"},
      {R"({"parameters":{"config":"","file:a":"AAE"}})", "Unable to parse 'file:a': base64"},
      {R"({"parameters":{"config":"","config":""}})", "Equal keys"},
      {R"({"parameters":[]})", "Unable to parse 'parameters'"},
      {R"({"parameters":{"config":""})", "Missing a comma, a colon, a key or a closing brace"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(ParseModelLoadRequest(Padded(c.body).view()).status().message(),
                HasSubstr(c.message))
        << c.body;
  }
}

TEST(ModelLoadRequestTest, EnforcesLimits) {
  ModelLoadLimits limits;
  limits.file_count_max = 1;
  limits.config_byte_size_max = 2;
  limits.body_byte_size_max = 100;
  EXPECT_TRUE(
      ParseModelLoadRequest(Padded(R"({"parameters":{"config":"{}","file:a":""}})").view(), limits)
          .ok());
  for (const std::string_view body :
       {R"({"parameters":{"config":"{} "}})",
        R"({"parameters":{"config":"{}","file:a":"","file:b":""}})"}) {
    EXPECT_EQ(ParseModelLoadRequest(Padded(body).view(), limits).status().code(),
              StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(ParseModelLoadRequest(std::string(101, ' '), limits).status().code(),
            StatusCode::kResourceExhausted);
}

TEST(ModelUnloadRequestTest, ReadsUnloadDependents) {
  EXPECT_FALSE(ParseModelUnloadRequest("")->unload_dependents);
  EXPECT_TRUE(ParseModelUnloadRequest(Padded(R"({"parameters":{"unload_dependents":true}})").view())
                  ->unload_dependents);
  EXPECT_FALSE(
      ParseModelUnloadRequest(Padded(R"({"parameters":{"unload_dependents":"true"}})").view())
          .ok());
  EXPECT_FALSE(ParseModelUnloadRequest(Padded(R"({"parameters":{"other":true}})").view()).ok());
}

TEST(Base64Test, DecodesTheOneForm) {
  EXPECT_EQ(DecodeBase64("").value(), "");
  EXPECT_EQ(DecodeBase64("Zg==").value(), "f");
  EXPECT_EQ(DecodeBase64("Zm8=").value(), "fo");
  EXPECT_EQ(DecodeBase64("Zm9v").value(), "foo");
  EXPECT_EQ(DecodeBase64("+/+/").value(), "\xFB\xFF\xBF");
}

TEST(Base64Test, RefusesOtherForms) {
  for (const std::string_view text :
       {"Z", "Zg", "Zg=", "Zm9", "Zm9v=", "Zg==Zg==", "Z===", "====", "=", "Zh==", "Zm9=", "Zm9 ",
        "Zm\n9v", "Zm9-", "Zm9_", "Zg=v"}) {
    EXPECT_FALSE(DecodeBase64(text).ok()) << text;
  }
}

}  // namespace
}  // namespace headrace::protocol
