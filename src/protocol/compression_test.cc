#include "protocol/compression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace headrace::protocol {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kLimit = std::size_t{8} << 20;

std::string RandomText(std::size_t byte_size, int letters) {
  std::mt19937 random(1);
  std::string text(byte_size, ' ');
  for (char& c : text) {
    c = static_cast<char>('a' + random() % letters);
  }
  return text;
}

class CompressionTest : public ::testing::TestWithParam<ContentCoding> {
 protected:
  std::string Compressed(std::string_view text) {
    return std::string(Deflate({Buffer::Unowned(text)}, GetParam(), pool)->view());
  }
  Status InflateStatus(std::string_view body, std::size_t limit = kLimit) {
    return Inflate(Buffer::Unowned(body), GetParam(), limit, 0, pool).status();
  }
  BlockPool pool;
};

TEST_P(CompressionTest, RoundTrips_TextsOfAllSizes) {
  for (const std::size_t byte_size : {0, 1, 100, 16384, 16385, 300'000, 3'000'000}) {
    const std::string text = RandomText(byte_size, 20);
    const auto result = Inflate(Buffer::Unowned(Compressed(text)), GetParam(), kLimit, 37, pool);
    ASSERT_TRUE(result.ok()) << byte_size << result.status().message();
    EXPECT_TRUE(result->view() == text) << byte_size;
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(result->data() + 37) % BlockPool::kAlignment, 0u);
  }
}

TEST_P(CompressionTest, Deflate_JoinsFragments) {
  const auto whole =
      Deflate({Buffer::Unowned("ab"), Buffer(), Buffer::Unowned("cd")}, GetParam(), pool);
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(Inflate(*whole, GetParam(), 4, 0, pool)->view(), "abcd");
}

TEST_P(CompressionTest, Inflate_StopsAtTheLimit) {
  const std::string text = RandomText(1'000'001, 20);
  const std::string body = Compressed(text);
  EXPECT_TRUE(InflateStatus(body, 1'000'001).ok());
  EXPECT_EQ(InflateStatus(body, 1'000'000).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(InflateStatus(body, 1).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(InflateStatus(body, 0).code(), StatusCode::kResourceExhausted);
}

TEST_P(CompressionTest, Inflate_StopsAtARatio_BeforeTheMemoryIsSpent) {
  const std::string body = Compressed(std::string(std::size_t{64} << 20, '\0'));
  BlockPoolOptions options;
  options.in_use_byte_size_max = std::size_t{8}
                                 << 20;  // spending more would be refused in other words
  BlockPool small(options);
  const auto status =
      Inflate(Buffer::Unowned(body), GetParam(), std::size_t{1} << 30, 0, small).status();
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("more than 100 to 1"));
  EXPECT_TRUE(InflateStatus(Compressed(std::string(std::size_t{1} << 20, '\0'))).ok());
}

TEST_P(CompressionTest, Inflate_RefusesEveryTruncation) {
  const std::string body = Compressed(RandomText(500, 20));
  for (std::size_t byte_size = 0; byte_size < body.size(); ++byte_size) {
    EXPECT_EQ(InflateStatus(body.substr(0, byte_size)).code(), StatusCode::kInvalidArgument)
        << byte_size;
  }
}

TEST_P(CompressionTest, Inflate_RefusesDamage) {
  std::string body = Compressed(RandomText(500, 20));
  body.back() = static_cast<char>(body.back() ^ 1);
  EXPECT_EQ(InflateStatus(body).code(), StatusCode::kInvalidArgument);
  for (std::size_t i = 0; i < body.size(); ++i) {
    std::string damaged = body;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    (void)InflateStatus(damaged);  // any verdict, no fault
  }
}

TEST_P(CompressionTest, Inflate_RefusesWhatFollows) {
  const std::string body = Compressed("abc");
  EXPECT_EQ(InflateStatus(body + "x").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(InflateStatus(body + body).code(), StatusCode::kInvalidArgument);
}

TEST_P(CompressionTest, Inflate_RefusesTheOtherCoding) {
  const ContentCoding other =
      GetParam() == ContentCoding::kGzip ? ContentCoding::kDeflate : ContentCoding::kGzip;
  EXPECT_EQ(Inflate(Buffer::Unowned(Compressed("abc")), other, kLimit, 0, pool).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_P(CompressionTest, GivesMemoryBack_AfterErrors) {
  const std::string body = Compressed(RandomText(100'000, 20));
  const std::size_t before = pool.in_use_byte_size();
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(InflateStatus(body + "x").ok());
    EXPECT_FALSE(InflateStatus(body, 1000).ok());
  }
  EXPECT_EQ(pool.in_use_byte_size(), before);
}

INSTANTIATE_TEST_SUITE_P(Codings, CompressionTest,
                         ::testing::Values(ContentCoding::kGzip, ContentCoding::kDeflate),
                         [](const auto& coding) {
                           return coding.param == ContentCoding::kGzip ? "Gzip" : "Deflate";
                         });

TEST(ContentCodingTest, ParseContentEncoding_KnowsThree) {
  EXPECT_EQ(ParseContentEncoding("gzip").value(), ContentCoding::kGzip);
  EXPECT_EQ(ParseContentEncoding(" GZip ").value(), ContentCoding::kGzip);
  EXPECT_EQ(ParseContentEncoding("deflate").value(), ContentCoding::kDeflate);
  EXPECT_EQ(ParseContentEncoding("identity").value(), ContentCoding::kIdentity);
  EXPECT_EQ(ParseContentEncoding("").value(), ContentCoding::kIdentity);
  for (const std::string_view value :
       {"gzip, gzip", "br", "zstd", "gzip;q=1", "gzi", "x-gzip", "identity,gzip", ","}) {
    EXPECT_EQ(ParseContentEncoding(value).status().code(), StatusCode::kUnimplemented) << value;
    EXPECT_EQ(ParseContentEncoding(value).status().message(), "Unsupported compression type")
        << value;
  }
}

TEST(ContentCodingTest, ChooseResponseCoding_TakesTheHighestWeight) {
  const struct {
    std::string_view value;
    ContentCoding coding;
  } kCases[] = {
      {"", ContentCoding::kIdentity},
      {"gzip", ContentCoding::kGzip},
      {"deflate", ContentCoding::kDeflate},
      {"gzip, deflate", ContentCoding::kGzip},
      {"deflate, gzip", ContentCoding::kDeflate},
      {"gzip;q=0.5, deflate;q=0.8", ContentCoding::kDeflate},
      {"gzip ; q=0.501,deflate; Q=0.5", ContentCoding::kGzip},
      {"gzip;q=0", ContentCoding::kIdentity},
      {"gzip;q=0.000, deflate;q=0", ContentCoding::kIdentity},
      {"identity, gzip;q=0.5", ContentCoding::kIdentity},
      {"identity;q=0.5, gzip;q=0.5", ContentCoding::kGzip},
      {"br, *;q=0.1", ContentCoding::kIdentity},
      {"br;q=1.0, gzip;q=0.8, *;q=0.1", ContentCoding::kGzip},
      {"gzip;q=abc", ContentCoding::kIdentity},
      {"gzip;q=-1", ContentCoding::kIdentity},
      {"gzip;q=2", ContentCoding::kIdentity},
      {"gzip;q=1.001", ContentCoding::kIdentity},
      {"gzip;q=0.1234", ContentCoding::kIdentity},
      {"gzip;q=", ContentCoding::kIdentity},
      {";;;,,,=,q=1", ContentCoding::kIdentity},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(ChooseResponseCoding(c.value), c.coding) << c.value;
  }
  EXPECT_EQ(ChooseResponseCoding(std::string(8192, ',') + "gzip"), ContentCoding::kGzip);
}

}  // namespace
}  // namespace headrace::protocol
