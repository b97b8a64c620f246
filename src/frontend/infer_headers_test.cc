#include "frontend/infer_headers.h"

#include <gtest/gtest.h>

namespace headrace::frontend {
namespace {

using protocol::ContentCoding;

net::HttpRequestHead HeadWith(std::vector<std::pair<std::string_view, std::string_view>> headers) {
  net::HttpRequestHead head;
  head.headers = std::move(headers);
  return head;
}

TEST(InferHeadersTest, Of_FindsNamesWithoutCase) {
  const InferHeaders headers =
      InferHeaders::Of(HeadWith({{"Host", "x"},
                                 {"ACCEPT-encoding", "gzip"},
                                 {"content-Encoding", "deflate"},
                                 {"Inference-Header-Content-Length", "7"},
                                 {"X-Inference-Header-Content-Lng", "8"}}));
  EXPECT_EQ(headers.accept_encoding, "gzip");
  EXPECT_EQ(headers.content_encoding, "deflate");
  EXPECT_EQ(headers.json_byte_size, "7");
  EXPECT_EQ(headers.json_byte_size_count, 1u);
}

TEST(InferHeadersTest, JsonByteSize_IsNothing_WithoutTheHeader) {
  const auto size = InferHeaders::Of(HeadWith({})).JsonByteSize(10);
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(*size, std::nullopt);
}

TEST(InferHeadersTest, JsonByteSize_TakesZeroAndTheWholeBody) {
  for (const std::string_view text : {"0", "10"}) {
    const auto headers = InferHeaders::Of(HeadWith({{"inference-header-content-length", text}}));
    EXPECT_TRUE(headers.JsonByteSize(10).ok()) << text;
  }
}

TEST(InferHeadersTest, JsonByteSize_RefusesWhatIsNoSizeWithinTheBody) {
  for (const std::string_view text :
       {"11", "99999999999", "99999999999999999999999", "-1", "+5", " 5", "5x", "", "0x5", "5 5"}) {
    const auto headers = InferHeaders::Of(HeadWith({{"inference-header-content-length", text}}));
    EXPECT_EQ(headers.JsonByteSize(10).status().message(),
              "inference header size should be in range (0, 10), got: " + std::string(text));
  }
}

TEST(InferHeadersTest, JsonByteSize_RefusesTwoHeaders) {
  const auto headers = InferHeaders::Of(HeadWith(
      {{"inference-header-content-length", "5"}, {"Inference-Header-Content-Length", "5"}}));
  EXPECT_EQ(headers.JsonByteSize(10).status().code(), StatusCode::kInvalidArgument);
}

TEST(InferHeadersTest, RequestCoding_RefusesTwoHeadersAndUnknownCodings) {
  EXPECT_EQ(*InferHeaders::Of(HeadWith({})).RequestCoding(), ContentCoding::kIdentity);
  EXPECT_EQ(*InferHeaders::Of(HeadWith({{"Content-Encoding", "gzip"}})).RequestCoding(),
            ContentCoding::kGzip);
  for (const std::string_view coding : {"br", "zstd", "gzip, gzip"}) {
    EXPECT_EQ(InferHeaders::Of(HeadWith({{"Content-Encoding", coding}}))
                  .RequestCoding()
                  .status()
                  .message(),
              "Unsupported compression type");
  }
  EXPECT_FALSE(
      InferHeaders::Of(HeadWith({{"Content-Encoding", "gzip"}, {"Content-Encoding", "gzip"}}))
          .RequestCoding()
          .ok());
}

}  // namespace
}  // namespace headrace::frontend
