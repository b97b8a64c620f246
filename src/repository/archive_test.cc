#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "repository/archive_unpack.h"
#include "repository/repository_files.h"
#include "repository/testing/archive_maker.h"
#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

using testing::HasSubstr;

class ArchiveTest : public testing::Test {
 protected:
  // Unpacks into an empty directory; "" for success.
  std::string Unpack(const std::string& bytes) {
    files_.File("archive", bytes);
    std::filesystem::remove_all(files_.path("out"));
    files_.Directory("out");
    const Status status = UnpackArchive(files_.path("archive"), files_.path("out"), limits_);
    return status.ok() ? "" : status.message();
  }
  std::string Content(const std::string& name) {
    auto content = ReadFile(files_.path("out/" + name), 1 << 20);
    return content.ok() ? *content : "(" + content.status().message() + ")";
  }
  bool Exists(const std::string& name) { return std::filesystem::exists(files_.path(name)); }

  TemporaryRepository files_;
  ArchiveLimits limits_;
};

using ArchiveZipTest = ArchiveTest;
using ArchiveTarTest = ArchiveTest;

TEST_F(ArchiveZipTest, Unpack_WritesFilesAndDirectories) {
  ZipMaker zip;
  zip.Add("MAR-INF/MANIFEST.json", "{}").Add("empty/").Add("a/b/c.txt", std::string(300'000, 'x'));
  zip.Add("stored", "raw");
  zip.items.back().stored = true;
  zip.Add("grüß.txt", "u");
  ASSERT_EQ(Unpack(zip.Make()), "");
  EXPECT_EQ(Content("MAR-INF/MANIFEST.json"), "{}");
  EXPECT_EQ(Content("a/b/c.txt"), std::string(300'000, 'x'));
  EXPECT_EQ(Content("stored"), "raw");
  EXPECT_EQ(Content("grüß.txt"), "u");
  EXPECT_TRUE(std::filesystem::is_directory(files_.path("out/empty")));
}

TEST_F(ArchiveZipTest, Unpack_RefusesPathsThatLeaveTheArchive) {
  for (const std::string& name :
       {std::string("../../marker"), std::string("/tmp/headrace-marker"),
        std::string("a/../../marker"), std::string("C:\\marker"), std::string("C:marker"),
        std::string("..\\marker"), std::string("a\0b", 3), std::string("./a"), std::string("a//b"),
        std::string(".."), std::string("a\nb"), std::string("\xff"), std::string(300, 'x'),
        std::string(1100, '/'), std::string("e\xcc\x81")}) {
    const std::string error = Unpack(ZipMaker().Add("first", "1").Add(name, "marker").Make());
    EXPECT_THAT(error, HasSubstr("entry '")) << name;
    EXPECT_FALSE(Exists("marker") || Exists("../marker"));
  }
  std::string deep = "x";
  for (int i = 0; i < 32; ++i) {
    deep = "d/" + deep;
  }
  EXPECT_THAT(Unpack(ZipMaker().Add(deep, "1").Make()), HasSubstr("32 parts"));
  EXPECT_FALSE(std::filesystem::exists("/tmp/headrace-marker"));
}

TEST_F(ArchiveZipTest, Unpack_RefusesLinksDevicesAndSetuid) {
  for (const std::uint32_t mode :
       {0120777u, 0060644u, 0020644u, 0010644u, 0140644u, 0104755u, 0102755u, 0101755u, 0040755u}) {
    ZipMaker zip;
    zip.Add("x", "/etc/passwd");
    zip.items.back().mode = mode;
    EXPECT_NE(Unpack(zip.Make()), "") << mode;
    EXPECT_FALSE(Exists("out/x"));
  }
}

TEST_F(ArchiveZipTest, Unpack_RefusesNamesThatCouldBeTakenForOneAnother) {
  const std::pair<const char*, const char*> pairs[] = {
      {"a", "a"}, {"a", "A"}, {"d/x", "D/y"}, {"ä", "Ä"}, {"ж", "Ж"}, {"a", "a/b"}, {"a/b", "a"}};
  for (const auto& [first, second] : pairs) {
    EXPECT_NE(Unpack(ZipMaker().Add(first, "1").Add(second, "2").Make()), "") << second;
  }
  EXPECT_EQ(Unpack(ZipMaker().Add("d/").Add("d/").Add("d/x", "1").Make()), "");
}

TEST_F(ArchiveZipTest, Unpack_StopsAtTheLimits) {
  limits_.entry_count_max = 3;
  EXPECT_THAT(Unpack(ZipMaker().Add("1").Add("2").Add("3").Add("4").Make()),
              HasSubstr("--archive-entry-count-max"));
  limits_ = {.entry_byte_size_max = 1000};
  EXPECT_THAT(Unpack(ZipMaker().Add("x", std::string(1001, 'x')).Make()),
              HasSubstr("--archive-entry-bytes-max"));
  limits_ = {.byte_size_max = 1500};
  EXPECT_THAT(
      Unpack(ZipMaker().Add("x", std::string(1000, 'x')).Add("y", std::string(1000, 'y')).Make()),
      HasSubstr("--archive-bytes-max"));
  limits_ = {.ratio_free_byte_size = 100'000};
  const std::string zeros(1'000'000, '\0');
  EXPECT_THAT(Unpack(ZipMaker().Add("x", zeros).Make()), HasSubstr("200 times its size"));
  limits_ = {};
  EXPECT_EQ(Unpack(ZipMaker().Add("x", zeros).Make()), "");
}

TEST_F(ArchiveZipTest, Unpack_RefusesEntriesThatOverlap) {
  // The second entry's directory record names the first one's header.
  ZipMaker zip;
  zip.Add("x", "data").Add("x2", "data");
  std::string bytes = zip.Make();
  const std::size_t second = bytes.rfind("PK\x01\x02");
  std::memset(bytes.data() + second + 42, 0, 4);
  EXPECT_THAT(Unpack(bytes), HasSubstr("damaged"));
  ZipMaker same;
  same.Add("x", "data").Add("x", "data");
  bytes = same.Make();
  std::memset(bytes.data() + bytes.rfind("PK\x01\x02") + 42, 0, 4);
  EXPECT_THAT(Unpack(bytes), HasSubstr("overlaps another"));
}

TEST_F(ArchiveZipTest, Unpack_RefusesHeadersThatDisagree) {
  const auto with = [this](const auto& change) {
    ZipMaker zip;
    zip.Add("name", "content").Add("next", "x");
    change(zip.items.front());
    return Unpack(zip.Make());
  };
  EXPECT_THAT(with([](ZipItem& item) { item.local_name = "eman"; }), HasSubstr("two descriptions"));
  EXPECT_THAT(with([](ZipItem& item) { item.local_size_more = 1; }), HasSubstr("two descriptions"));
  EXPECT_THAT(with([](ZipItem& item) { item.size_more = 1; }), HasSubstr("another size"));
  EXPECT_THAT(with([](ZipItem& item) { item.size_more = -1; }), HasSubstr("another size"));
  EXPECT_THAT(with([](ZipItem& item) { item.crc_more = 1; }), HasSubstr("checksum"));
  EXPECT_THAT(with([](ZipItem& item) { item.flags = 1; }), HasSubstr("encrypted"));
  EXPECT_THAT(with([](ZipItem& item) { item.method = 12; }), HasSubstr("method 12"));
  EXPECT_THAT(with([](ZipItem& item) { item.method = 0; }), HasSubstr("two sizes"));
  EXPECT_THAT(with([](ZipItem& item) { item.sizes_are_full = true; }),
              HasSubstr("size of an entry is missing"));
  EXPECT_THAT(with([](ZipItem& item) {
                item.sizes_are_full = true;
                ZipMaker::Put(item.central_extra, 1, 2);
                ZipMaker::Put(item.central_extra, 16, 2);
                item.central_extra += std::string(16, '\xff');
              }),
              HasSubstr("two descriptions"));
}

TEST_F(ArchiveZipTest, Unpack_TakesTwoEndsThatSayTheSame) {
  ZipMaker zip;
  zip.Add("x", "1");
  zip.with_end64 = true;
  std::string bytes = zip.Make();
  EXPECT_EQ(Unpack(bytes), "");
  constexpr std::size_t kLocator = 20, kEnd = 22;
  bytes[bytes.size() - kEnd - kLocator - 8] ^= 1;  // where the directory begins
  EXPECT_THAT(Unpack(bytes), HasSubstr("does not end where the end begins"));
}

TEST_F(ArchiveZipTest, Unpack_RefusesLongComments) {
  ZipMaker zip;
  zip.Add("x", "1");
  zip.comment = std::string(1000, 'c');
  EXPECT_EQ(Unpack(zip.Make()), "");
  zip.comment = std::string(65535, 'c');
  EXPECT_NE(Unpack(zip.Make()), "");
}

TEST_F(ArchiveZipTest, Unpack_RefusesWhatIsCutShort) {
  const std::string bytes =
      ZipMaker().Add("a", "content").Add("b/c", std::string(5000, 'x')).Make();
  ASSERT_EQ(Unpack(bytes), "");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(Unpack(bytes.substr(0, size)), "") << size;
  }
}

TEST_F(ArchiveZipTest, Unpack_SurvivesAnyByteThatIsWrong) {
  const std::string bytes = ZipMaker().Add("a", "content").Add("b/c", "more of it").Make();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string wrong = bytes;
    wrong[i] = static_cast<char>(wrong[i] ^ 0x81);
    Unpack(wrong);  // some bytes do not matter; none may do harm
    EXPECT_FALSE(Exists("a") || Exists("b"));
  }
}

TEST_F(ArchiveTarTest, Unpack_DropsTheFolderThatAllLiesIn) {
  ASSERT_EQ(Unpack(TarMaker()
                       .Add("model/", "", '5', "0000755")
                       .Add("model/MAR-INF/MANIFEST.json", "{}")
                       .Add("model/a.txt", std::string(300'000, 'x'))
                       .Make()),
            "");
  EXPECT_EQ(Content("MAR-INF/MANIFEST.json"), "{}");
  EXPECT_EQ(Content("a.txt"), std::string(300'000, 'x'));
  EXPECT_EQ(Unpack(TarMaker().Add("./", "", '5').Add("./x", "1").Make()), "");
  EXPECT_EQ(Content("x"), "1");
}

TEST_F(ArchiveTarTest, Unpack_TakesLongNames) {
  const std::string name = "model/" + std::string(150, 'n');
  const std::string record = "path=" + name + "\n";
  const std::string pax = std::to_string(record.size() + 4) + " " + record;
  ASSERT_EQ(Unpack(TarMaker().Add("x", pax, 'x').Add("model/short", "1").Make()), "");
  EXPECT_EQ(Content(std::string(150, 'n')), "1");
  ASSERT_EQ(Unpack(TarMaker().Add("x", name + std::string(1, '\0'), 'L').Add("m", "2").Make()), "");
  EXPECT_EQ(Content(std::string(150, 'n')), "2");
}

TEST_F(ArchiveTarTest, Unpack_RefusesWhatLeavesOrIsNoFile) {
  for (const char* name : {"model/../../marker", "/etc/x", "m/C:\\x", "m/a//b", "m/..", "flat"}) {
    EXPECT_NE(Unpack(TarMaker().Add(name, "1").Make()), "") << name;
  }
  for (const char type : {'1', '2', '3', '4', '6', '7', 'S', 'K'}) {
    EXPECT_NE(Unpack(TarMaker().Add("model/x", "", type).Make()), "") << type;
  }
  EXPECT_NE(Unpack(TarMaker().Add("model/x", "", '0', "0004755").Make()), "");
  EXPECT_NE(Unpack(TarMaker().Add("model/x", "1").Add("other/y", "1").Make()), "");
  EXPECT_NE(Unpack(TarMaker().Add("x", "18 linkpath=/etc/x\n", 'x').Add("m/x", "").Make()), "");
  EXPECT_FALSE(Exists("marker"));
}

TEST_F(ArchiveTarTest, Unpack_StopsAtTheLimits) {
  limits_.entry_count_max = 2;
  EXPECT_THAT(Unpack(TarMaker().Add("m/1").Add("m/2").Add("m/3").Make()),
              HasSubstr("--archive-entry-count-max"));
  limits_ = {.ratio_free_byte_size = 100'000};
  EXPECT_THAT(Unpack(TarMaker().Add("m/x", std::string(1'000'000, '\0')).Make()),
              HasSubstr("200 times its size"));
}

TEST_F(ArchiveTarTest, Unpack_RefusesWhatIsCutShortOrGoesOn) {
  TarMaker tar;
  tar.Add("m/a", "content");
  const std::string bytes = tar.Make();
  ASSERT_EQ(Unpack(bytes), "");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(Unpack(bytes.substr(0, size)), "") << size;
  }
  EXPECT_NE(Unpack(tar.MakeWithoutEnd()), "");
  EXPECT_NE(Unpack(bytes + bytes), "");
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string wrong = bytes;
    wrong[i] = static_cast<char>(wrong[i] ^ 0x81);
    Unpack(wrong);
  }
}

TEST_F(ArchiveTest, Unpack_RefusesOtherFiles) {
  EXPECT_THAT(Unpack("7z\xbc\xaf no archive"), HasSubstr("neither a zip nor"));
  EXPECT_THAT(Unpack(""), HasSubstr("only 0 bytes"));
  EXPECT_THAT(UnpackArchive(files_.path(), files_.path("out"), limits_).message(),
              HasSubstr("not a regular file"));
  EXPECT_FALSE(UnpackArchive(files_.path("none"), files_.path("out"), limits_).ok());
}

}  // namespace
}  // namespace headrace::repository
