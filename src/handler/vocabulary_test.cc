#include "handler/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

#include "handler/pickle_reader.h"

namespace headrace::handler {
namespace {

using std::string_literals::operator""s;
using testing::HasSubstr;

// pickle.dumps(OrderedDict([("<unk>", 0), ("good", 1), ("b", 70000)]), 2)
const std::string kOrdered =
    "\x80\x02"
    "ccollections\nOrderedDict\nq\x00)Rq\x01(X\x05\x00\x00\x00<unk>q\x02K\x00X\x04\x00\x00\x00goodq"
    "\x03K\x01X\x01\x00\x00\x00"
    "bq\x04Jp\x11\x01\x00u."s;
// pickle.dumps(Counter("aab"), 2)
const std::string kCounted =
    "\x80\x02"
    "ccollections\nCounter\nq\x00}q\x01(X\x01\x00\x00\x00"
    "aq\x02K\x02X\x01\x00\x00\x00"
    "bq\x03K\x01u\x85q\x04Rq\x05."s;
// pickle.dumps({"a": 1, "\xc3\xa4": 300}, 4)
const std::string kFramed =
    "\x80\x04\x95\x11\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01"
    "a\x94K\x01\x8c\x02\xc3\xa4\x94M,\x01u."s;
// torch.save({"a": 1}, file, _use_new_zipfile_serialization=False)
const std::string kLegacy =
    "\x80\x02\x8a\nl\xfc\x9c"
    "F\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00(X\x10\x00\x00\x00protocol_versionq\x01M\xe9"
    "\x03X\r\x00\x00\x00little_endianq\x02\x88X\n\x00\x00\x00type_sizesq\x03}q\x04("
    "X\x05\x00\x00\x00"
    "shortq\x05K\x02X\x03\x00\x00\x00intq\x06K\x04X\x04\x00\x00\x00longq\x07K\x04uu."
    "\x80\x02}q\x00X\x01\x00\x00\x00"
    "aq\x01K\x01s.\x80\x02]q\x00."s;

std::string Refusal(std::string pickle) {
  return Vocabulary::FromPickle(std::move(pickle)).status().message();
}

TEST(VocabularyTest, Read_TakesTheFormsOfADictionary) {
  const auto ordered = Vocabulary::FromPickle(kOrdered);
  ASSERT_TRUE(ordered.ok()) << ordered.status().message();
  EXPECT_EQ(ordered->size(), 3u);
  EXPECT_EQ(ordered->Number("b"), 70000);
  EXPECT_EQ(ordered->Number("unheard"), 0);
  const auto counted = Vocabulary::FromPickle(kCounted);
  ASSERT_TRUE(counted.ok()) << counted.status().message();
  EXPECT_EQ(counted->Number("a"), 2);
  const auto framed = Vocabulary::FromPickle(kFramed);
  ASSERT_TRUE(framed.ok()) << framed.status().message();
  EXPECT_EQ(framed->Number("\xc3\xa4"), 300);
  const auto legacy = Vocabulary::FromLegacyFile(kLegacy);
  ASSERT_TRUE(legacy.ok()) << legacy.status().message();
  EXPECT_EQ(legacy->Number("a"), 1);
  EXPECT_FALSE(Vocabulary::FromLegacyFile(kOrdered).ok());
}

TEST(VocabularyTest, Unknown_IsTheNumberThatTheDictionaryHasForIt) {
  const auto plain = Vocabulary::FromPickle("\x80\x02}(X\x05\x00\x00\x00<unk>K\x07u."s);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->Number("unheard"), 7);
  const auto counter = Vocabulary::FromPickle(
      "\x80\x02"
      "ccollections\nCounter\n}(X\x05\x00\x00\x00<unk>K\x07u\x85R."s);
  ASSERT_TRUE(counter.ok());
  EXPECT_EQ(counter->Number("unheard"), 0);
}

TEST(VocabularyTest, Read_NamesWhatItDoesNotTake) {
  EXPECT_THAT(Refusal("\x80\x02"
                      "cos\nsystem\nX\x04\x00\x00\x00true\x85R."s),
              HasSubstr("byte 2 of the pickle: 'os.system' is no class that is read as data"));
  EXPECT_THAT(Refusal("\x80\x04\x8c\x02os\x8c\x06system\x93)R."s), HasSubstr("'os.system'"));
  EXPECT_THAT(Refusal("\x80\x02]."s), HasSubstr("opcode 0x5d"));
  EXPECT_THAT(Refusal("\x80\x02}X\x01\x00\x00\x00"
                      "aX\x01\x00\x00\x00"
                      "bs."s),
              HasSubstr("no text with a number"));
  EXPECT_THAT(Refusal("\x80\x02}X\x01\x00\x00\x00\xffK\x01s."s), HasSubstr("no text"));
  EXPECT_THAT(Refusal("\x80\x02}X\x01\x00\x00\x00"
                      "aJ\xff\xff\xff\xffs."s),
              HasSubstr("from 0 on"));
  EXPECT_THAT(Refusal("\x80\x02K\x01."s), HasSubstr("holds no dictionary"));
  EXPECT_THAT(Refusal("(dp0\n."s), HasSubstr("no pickle of protocol 2 to 5"));
  EXPECT_THAT(Refusal("\x80\x02}\x8a\x09"s + std::string(9, 'x') + "."), HasSubstr("64 bits"));
  EXPECT_THAT(Refusal("\x80\x02}r\x05\x00\x00\x00."s), HasSubstr("out of turn"));
  EXPECT_THAT(Refusal("\x80\x02h\x00."s), HasSubstr("never remembered"));
  EXPECT_THAT(Refusal("\x80\x02u."s), HasSubstr("a mark is missing"));
  EXPECT_THAT(Refusal(""), HasSubstr("ends there"));
}

TEST(PickleReaderTest, Read_KeepsItsLimits) {
  const auto message = [](std::string_view pickle, PickleLimits limits) {
    return PickleReader(pickle, limits).Read().status().message();
  };
  EXPECT_THAT(message(kOrdered, {.entry_count_max = 2}), HasSubstr("more than 2 entries"));
  EXPECT_THAT(message("\x80\x02NNNN."s, {.stack_size_max = 3}), HasSubstr("too many values"));
  EXPECT_THAT(message("\x80\x02(((."s, {.mark_count_max = 2}), HasSubstr("nested too deeply"));
}

// Whatever is damaged is refused or reads as something: under the sanitizers this shows that
// nothing outside of the bytes is looked at.
TEST(VocabularyTest, Read_SurvivesDamage) {
  std::mt19937 random(7);
  std::size_t refused = 0, count = 0;
  const auto feed = [&](const std::string& bytes) {
    ++count;
    // In a block of its own size, so that a read beyond it shows.
    const std::string file(bytes.begin(), bytes.end());
    const auto read = Vocabulary::IsLegacyFile(file) ? Vocabulary::FromLegacyFile(file)
                                                     : Vocabulary::FromPickle(file);
    refused += read.ok() ? 0 : 1;
    if (read.ok()) {
      EXPECT_LE(read->size(), file.size());
      EXPECT_GE(read->Number("a"), 0);
    }
  };
  for (const std::string& whole : {kOrdered, kCounted, kFramed, kLegacy}) {
    for (std::size_t size = 0; size + 1 < whole.size(); ++size) {
      feed(whole.substr(0, size));
    }
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string flipped = whole;
      flipped[bit / 8] =
          static_cast<char>(static_cast<std::uint8_t>(flipped[bit / 8]) ^ 1U << bit % 8);
      feed(flipped);
    }
    for (int i = 0; i < 2'000; ++i) {
      std::string mixed = whole;
      for (std::uint32_t changes = 1 + random() % 6; changes > 0; --changes) {
        const std::size_t at = random() % mixed.size();
        switch (random() % 3) {
          case 0:
            mixed[at] = static_cast<char>(random());
            break;
          case 1:
            mixed[at] = whole[random() % whole.size()];
            break;
          default:
            mixed.insert(at, whole.substr(random() % whole.size(), random() % 12));
        }
      }
      feed(mixed);
    }
  }
  EXPECT_GT(refused, count / 2);
}

}  // namespace
}  // namespace headrace::handler
