#include "tune/archive_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "repository/archive_unpack.h"
#include "repository/repository_files.h"
#include "repository/testing/archive_maker.h"
#include "tune/archive_yaml.h"
#include "tune/temporary_folder.h"

namespace headrace::tune {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const Configuration kTuned{.shape = {2, 3}, .batch_max = 8, .delay = 1500 * kMicrosecond};
const Variant kVariant{.thread_parameter = "INTRA_OP_THREAD_COUNT"};

TEST(TunedArchiveYaml, HasTheKeysOfAnArchive) {
  EXPECT_EQ(*TunedArchiveYaml("", kTuned, kVariant, "c"),
            "# c\nminWorkers: 2\nmaxWorkers: 2\nbatchSize: 8\nmaxBatchDelay: 2\n"
            "threadsPerWorker: 3\n");
  // 0 would mean that nobody said anything, and so 100 ms.
  EXPECT_THAT(*TunedArchiveYaml("", {.batch_max = 2}, {.on_gpu = true}, ""),
              AllOf(HasSubstr("maxBatchDelay: 1\n"), HasSubstr("deviceType: gpu\n"),
                    Not(HasSubstr("threads"))));
}

TEST(TunedArchiveYaml, LeavesAllElseAsItIs) {
  const std::string text =
      "# mine\n\"batchSize\": 2\nhandler:\n  batchSize: 77 # theirs\n  list:\n  - a\nminWorkers:\n"
      "  1\nmaxWorkers : 9\nlast: |\n  text: x\n\n  batchSize: 1\n";
  const auto tuned = TunedArchiveYaml(text, kTuned, kVariant, "why");
  ASSERT_TRUE(tuned.ok()) << tuned.status().message();
  EXPECT_THAT(*tuned,
              StartsWith("# why\n# mine\nhandler:\n  batchSize: 77 # theirs\n  list:\n  - a\n"
                         "last: |\n  text: x\n\n  batchSize: 1\nminWorkers: 2\n"));
}

TEST(TunedArchiveYaml, RefusesWhatItCannotChangeByLines) {
  // The first would change what the block says.
  for (const char* text : {"a: |\n  b", "{batchSize: 2, handler: {a: 1}}", "- a", "a: [",
                           "a: 1\n...\n", "handler: |\n\n  a\n---\nb: 1\n"}) {
    EXPECT_FALSE(TunedArchiveYaml(text, kTuned, kVariant, "").ok()) << text;
  }
}

class ArchiveSettingsTest : public testing::Test {
 protected:
  ArchiveSettingsTest() : folder_(*TemporaryFolder::Make()), archive_(folder_->path() + "/m.mar") {}

  void Make(const std::map<std::string, std::string>& files) {
    repository::ZipMaker maker;
    for (const auto& [name, content] : files) {
      maker.Add(name, content);
    }
    std::ofstream(archive_, std::ios::binary) << maker.Make();
  }
  std::map<std::string, std::string> Unpacked(const std::string& archive) {
    std::map<std::string, std::string> files;
    const auto folder = *TemporaryFolder::Make();
    const Status status = repository::UnpackArchive(archive, folder->path(), {});
    EXPECT_TRUE(status.ok()) << status.message();
    for (const auto& entry : fs::recursive_directory_iterator(folder->path())) {
      if (entry.is_regular_file()) {
        files[fs::relative(entry.path(), folder->path()).string()] =
            *repository::ReadFile(entry.path().string(), 1 << 20);
      }
    }
    return files;
  }
  static std::string Bytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const std::unique_ptr<TemporaryFolder> folder_;
  const std::string archive_;
};

constexpr char kManifest[] = R"({"model":{"modelName":"m","handler":"h.py"},"mine":1})";
constexpr char kManifestWithFile[] =
    R"({"model":{"modelName":"m","handler":"h.py","configFile":"c.yaml"}})";

TEST_F(ArchiveSettingsTest, PutsAFileIn_AndKeepsTheOldArchive) {
  Make({{"MAR-INF/MANIFEST.json", kManifest}, {"h.py", "code"}});
  const std::string before = Bytes(archive_);
  const auto settings = ReadArchiveSettings(archive_);
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_EQ(settings->config_file, "");
  const auto kept = WriteArchiveSettings(archive_, *settings, "batchSize: 4\n");
  ASSERT_TRUE(kept.ok()) << kept.status().message();
  EXPECT_EQ(*kept, archive_ + ".before-tune");
  EXPECT_EQ(Bytes(*kept), before);
  const auto files = Unpacked(archive_);
  EXPECT_EQ(files.size(), 3u);
  EXPECT_EQ(files.at("h.py"), "code");
  EXPECT_EQ(files.at("model-config.yaml"), "batchSize: 4\n");
  EXPECT_THAT(files.at("MAR-INF/MANIFEST.json"),
              AllOf(HasSubstr(R"("configFile":"model-config.yaml")"), HasSubstr(R"("mine":1)")));
}

TEST_F(ArchiveSettingsTest, ReplacesTheFileThatThereIs_AndLosesNoOlderArchive) {
  Make({{"MAR-INF/MANIFEST.json", kManifestWithFile},
        {"a", std::string(3000, 'x')},
        {"c.yaml", "batchSize: 2\n"},
        {"h.py", "code"}});
  for (const char* yaml : {"batchSize: 4\n", "batchSize: 5\n"}) {
    const auto settings = ReadArchiveSettings(archive_);
    ASSERT_TRUE(settings.ok());
    ASSERT_TRUE(WriteArchiveSettings(archive_, *settings, yaml).ok());
  }
  EXPECT_EQ(Unpacked(archive_).at("c.yaml"), "batchSize: 5\n");
  EXPECT_EQ(Unpacked(archive_).at("a").size(), 3000u);
  EXPECT_EQ(Unpacked(archive_).at("MAR-INF/MANIFEST.json"), kManifestWithFile);
  EXPECT_EQ(Unpacked(archive_ + ".before-tune").at("c.yaml"), "batchSize: 2\n");
  EXPECT_EQ(Unpacked(archive_ + ".before-tune.2").at("c.yaml"), "batchSize: 4\n");
}

TEST_F(ArchiveSettingsTest, LeavesADamagedArchiveAlone) {
  Make({{"MAR-INF/MANIFEST.json", kManifest}, {"h.py", "code"}});
  const auto settings = ReadArchiveSettings(archive_);
  ASSERT_TRUE(settings.ok());
  fs::resize_file(archive_, fs::file_size(archive_) - 30);
  const std::string before = Bytes(archive_);
  EXPECT_THAT(ReadArchiveSettings(archive_).status().message(), HasSubstr("m.mar: "));
  EXPECT_FALSE(WriteArchiveSettings(archive_, *settings, "batchSize: 4\n").ok());
  EXPECT_EQ(Bytes(archive_), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_->path()), {}), 1);
}

}  // namespace
}  // namespace headrace::tune
