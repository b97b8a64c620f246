#include "tune/zip_rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "repository/archive_file.h"
#include "repository/archive_zip_directory.h"
#include "repository/testing/archive_maker.h"
#include "tune/temporary_folder.h"

namespace headrace::tune {
namespace {

namespace fs = std::filesystem;
using repository::ZipMaker;
using testing::ElementsAre;
using testing::HasSubstr;

const std::string kWeights(3000, 'w');

class ZipRewriteTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_->path() + "/" + name; }
  std::string Make(const ZipMaker& maker, const std::string& name = "m.mar") const {
    std::ofstream(Path(name), std::ios::binary) << maker.Make();
    return Path(name);
  }
  static std::string Bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::vector<std::string> FilesBeside() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_->path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  struct Entry {
    std::string name;
    int method = 0;
    std::string packed;
    bool operator==(const Entry&) const = default;
  };
  static std::vector<Entry> Entries(const std::string& path) {
    const auto file = repository::ArchiveFile::Open(path);
    const auto directory = repository::ReadZipDirectory(*file, {});
    EXPECT_TRUE(directory.ok()) << directory.status().message();
    std::vector<Entry> entries;
    for (const repository::ZipEntry& entry : *directory) {
      std::string packed(entry.packed_byte_size, '\0');
      EXPECT_TRUE(file->Read(entry.data_offset, packed).ok());
      entries.push_back({entry.name, entry.method, std::move(packed)});
    }
    return entries;
  }

  const std::unique_ptr<TemporaryFolder> folder_ = *TemporaryFolder::Make();
};

ZipMaker Archive() {
  ZipMaker maker;
  maker.Add("code/").Add("code/h.py", "code").Add("c.yaml", "old").Add("weights", kWeights);
  maker.comment = "theirs";
  return maker;
}

TEST_F(ZipRewriteTest, LeavesAllOtherEntriesAsTheyArePacked) {
  const std::string archive = Make(Archive());
  const std::vector<Entry> before = Entries(archive);
  ASSERT_TRUE(RewriteZip(archive, {{"c.yaml", "new"}, {"d.yaml", ""}}).ok());
  EXPECT_THAT(Entries(archive), ElementsAre(before[0], before[1], Entry{"c.yaml", 0, "new"},
                                            before[3], Entry{"d.yaml", 0, ""}));
  EXPECT_THAT(Bytes(archive), testing::EndsWith("theirs"));
  EXPECT_THAT(FilesBeside(), ElementsAre("m.mar"));
}

TEST_F(ZipRewriteTest, WritesTheSameBytesFromTheSameFiles) {
  const std::string one = Make(Archive(), "one"), other = Make(Archive(), "other");
  ASSERT_TRUE(RewriteZip(one, {{"c.yaml", "new"}}).ok());
  ASSERT_TRUE(RewriteZip(other, {{"c.yaml", "new"}}).ok());
  EXPECT_EQ(Bytes(one), Bytes(other));
}

TEST_F(ZipRewriteTest, LeavesTheOldFileToItsOtherNames) {
  const std::string archive = Make(Archive()), before = Bytes(archive);
  fs::create_hard_link(archive, Path("old"));
  ASSERT_TRUE(RewriteZip(archive, {{"c.yaml", "new"}}).ok());
  EXPECT_EQ(Bytes(Path("old")), before);
}

TEST_F(ZipRewriteTest, RefusesWhatTheServerDoes) {
  ZipMaker encrypted = Archive(), link = Archive();
  encrypted.items.back().flags = 1;
  link.items.back().mode = 0120777;
  for (const ZipMaker& maker : {encrypted, link}) {
    const std::string archive = Make(maker), before = Bytes(archive);
    EXPECT_EQ(RewriteZip(archive, {{"c.yaml", "new"}}).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(Bytes(archive), before);
  }
  EXPECT_FALSE(RewriteZip(Path("none"), {{"c.yaml", "new"}}).ok());
}

TEST_F(ZipRewriteTest, NamesTheFileThatCannotBeWritten) {
  // The file beside it would have a name that is too long.
  const std::string archive = Make(Archive(), std::string(252, 'm')), before = Bytes(archive);
  const Status written = RewriteZip(archive, {{"c.yaml", "new"}});
  EXPECT_EQ(written.code(), StatusCode::kUnavailable);
  EXPECT_THAT(written.message(), HasSubstr(archive + ": it cannot be written: "));
  EXPECT_EQ(Bytes(archive), before);
}

}  // namespace
}  // namespace headrace::tune
