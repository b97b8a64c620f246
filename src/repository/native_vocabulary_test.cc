#include "repository/native_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "repository/testing/archive_maker.h"
#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

using std::string_literals::operator""s;
using testing::HasSubstr;

const std::string kPickle = "\x80\x02}q\x00X\x01\x00\x00\x00wq\x01K\x05s."s;

// As torch.save writes it.
ZipMaker Saved(const std::string& pickle, const std::string& name = "archive/data.pkl") {
  ZipMaker maker;
  maker.Add("archive/version", "3\n").Add(name, pickle);
  for (ZipItem& item : maker.items) {
    item.stored = true;
    item.flags = 0x800;  // of names in UTF-8
  }
  maker.with_end64 = true;
  return maker;
}

class NativeVocabularyTest : public testing::Test {
 protected:
  Result<handler::Vocabulary> Read(const std::string& content) {
    files_.File("vocabulary", content);
    return ReadVocabulary(files_.path("vocabulary"));
  }
  std::string Refusal(const std::string& content) { return Read(content).status().message(); }

  TemporaryRepository files_;
};

TEST_F(NativeVocabularyTest, Read_TakesWhatTorchSaves) {
  const auto read = Read(Saved(kPickle, "x/data.pkl").Make());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->Number("w"), 5);
}

TEST_F(NativeVocabularyTest, Read_NamesWhatItDoesNotTake) {
  EXPECT_THAT(Refusal("weights"), HasSubstr("files of torch.save"));
  EXPECT_THAT(Refusal(""), HasSubstr("files of torch.save"));
  EXPECT_THAT(Refusal(Saved(kPickle, "x/data/0").Make()), HasSubstr("no data.pkl"));
  ZipMaker packed = Saved(kPickle), damaged = Saved(kPickle);
  packed.items.back().stored = false;
  EXPECT_THAT(Refusal(packed.Make()), HasSubstr("no data.pkl"));
  damaged.items.back().crc_more = 1;
  EXPECT_THAT(Refusal(damaged.Make()), HasSubstr("checksum"));
  EXPECT_THAT(Refusal(Saved(kPickle + "x").Make()), HasSubstr("goes on behind"));
  EXPECT_THAT(Refusal(Saved("\x80\x02"
                            "cos\nsystem\n."s)
                          .Make()),
              HasSubstr("'os.system'"));
}

TEST_F(NativeVocabularyTest, Read_RefusesWhatIsCutShort) {
  const std::string whole = Saved(kPickle).Make();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Read(whole.substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace headrace::repository
