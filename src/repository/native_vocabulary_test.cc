#include "repository/native_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace headrace::repository {
namespace {

using std::string_literals::operator""s;
using testing::HasSubstr;

std::string Number(std::uint64_t number, std::size_t byte_size) {
  std::string bytes;
  for (std::size_t i = 0; i < byte_size; ++i) {
    bytes += static_cast<char>(number >> (8 * i));
  }
  return bytes;
}

// The beginning of what torch.save writes.
std::string Saved(std::string_view pickle, std::string_view name = "archive/data.pkl",
                  bool with_descriptor = true) {
  const std::string facts =
      Number(crc32_z(0, reinterpret_cast<const unsigned char*>(pickle.data()), pickle.size()), 4) +
      Number(pickle.size(), 4) + Number(pickle.size(), 4);
  std::string file = "PK\x03\x04" + Number(0, 2) + Number(with_descriptor ? 0x808 : 0, 2) +
                     Number(0, 6) + (with_descriptor ? std::string(12, '\0') : facts) +
                     Number(name.size(), 2) + Number(3, 2);
  file.append(name).append("FB.").append(pickle);
  return with_descriptor ? file + "PK\x07\x08" + facts : file + "PK\x03\x04";
}

const std::string kPickle = "\x80\x02}q\x00X\x01\x00\x00\x00wq\x01K\x05s."s;

TEST(NativeVocabularyTest, Parse_ReadsTheFirstEntry) {
  for (const bool with_descriptor : {true, false}) {
    const auto read = ParseVocabulary(Saved(kPickle, "x/data.pkl", with_descriptor));
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(read->Number("w"), 5);
  }
}

TEST(NativeVocabularyTest, Parse_NamesWhatItDoesNotTake) {
  const auto refusal = [](std::string file) {
    return ParseVocabulary(std::move(file)).status().message();
  };
  EXPECT_THAT(refusal("weights"), HasSubstr("no file of torch.save"));
  EXPECT_THAT(refusal(Saved(kPickle, "x/data/0")), HasSubstr("no data.pkl"));
  std::string damaged = Saved(kPickle);
  damaged[damaged.size() - 9] ^= 1;  // of the checksum
  EXPECT_THAT(refusal(damaged), HasSubstr("checksum"));
  EXPECT_THAT(refusal(Saved(kPickle + "x")), HasSubstr("goes on behind"));
  EXPECT_THAT(refusal(Saved("\x80\x02"
                            "cos\nsystem\n."s)),
              HasSubstr("'os.system'"));
}

TEST(NativeVocabularyTest, Parse_RefusesWhatIsCutShort) {
  const std::string whole = Saved(kPickle);
  for (std::size_t size = 0; size < whole.size() - 4; ++size) {
    EXPECT_FALSE(ParseVocabulary(whole.substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace headrace::repository
