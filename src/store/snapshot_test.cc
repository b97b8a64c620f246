#include "store/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "store/testing/store_fixture.h"

namespace headrace::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

ModelFacts Facts(const std::string& name, const std::string& version, bool is_default) {
  ModelFacts facts;
  facts.name = name;
  facts.version = version;
  facts.url = "https://host/" + name + ".mar?key=1";
  facts.runtime = "python";
  facts.worker_count_min = 0;
  facts.worker_count_max = 4;
  facts.batch_size = 8;
  facts.is_default = is_default;
  return facts;
}

TEST(SnapshotJsonTest, Write_ComesBackWhenItIsRead) {
  std::vector<ModelFacts> models = {Facts("a", "1.0", false), Facts("a", "2.0", true),
                                    Facts("b", "1.0", true)};
  models.push_back(Facts("w__node", "1.0", true));
  models.back().internal_workflow = "w";
  const std::string json = SnapshotJson("n.cfg", 1234, models);
  EXPECT_THAT(json,
              HasSubstr(R"({"name":"n.cfg","modelCount":2,"created":1234,"models":{"a":{"1.0":)"
                        R"({"defaultVersion":false,"marName":"a.mar","minWorkers":0,)"
                        R"("maxWorkers":4,"batchSize":8,"maxBatchDelay":100,)"
                        R"("responseTimeout":120,"startupTimeout":120,)"
                        R"("runtimeType":"python"})"));
  const auto read = ParseSnapshot(json);
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_THAT(*read, SizeIs(3));
  EXPECT_EQ((*read)[1].default_version, "2.0");
  EXPECT_EQ((*read)[1].registration.url, "a.mar");
  EXPECT_EQ((*read)[1].registration.name, "a");
  EXPECT_EQ((*read)[1].registration.settings.batch_size, 8);
  EXPECT_EQ((*read)[1].registration.settings.worker_count_min, 0);
  EXPECT_EQ((*read)[1].registration.settings.worker_count_max, 4);
}

TEST(SnapshotJsonTest, Parse_TakesWhatOthersWrite) {
  // As KServe has it: without some members.
  const auto read = ParseSnapshot(
      R"({"name":"startup.cfg","modelCount":1,"models":{"mnist":{"1.0":{"defaultVersion":true,)"
      R"("marName":"mnist.mar","minWorkers":1,"maxWorkers":5,"batchSize":1,"maxBatchDelay":10,)"
      R"("responseTimeout":120}}}})");
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_THAT(*read, SizeIs(1));
  EXPECT_FALSE(read->front().registration.settings.startup_timeout_s);
  EXPECT_EQ(read->front().registration.settings.worker_count_max, 5);
  EXPECT_TRUE(ParseSnapshot("{}")->empty());
  EXPECT_THAT(ParseSnapshot(R"({"models":{"m":{"1":{}}}})").status().message(),
              HasSubstr("version '1' of 'm' has no 'marName'"));
  for (const char* bad : {"", "[]", R"({"models":1})", R"({"models":{"m":1}})"}) {
    EXPECT_FALSE(ParseSnapshot(bad).ok()) << bad;
  }
}

class SnapshotWriterTest : public StoreFixture {
 protected:
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path("logs/config"))) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
};

TEST_F(SnapshotWriterTest, Write_KeepsPropertiesAndModels) {
  Put("m.mar", Archive("m"));
  Start();
  (void)Register("m.mar", 1);
  SnapshotWriter writer(files_.path("logs/config"), {{"inference_address", "http://127.0.0.1:8080"},
                                                     {"load_models", "all"},
                                                     {"model_snapshot", "old"}});
  ASSERT_TRUE(writer.Write(SnapshotOccasion::kStartup, *store_).ok());
  const auto newest = NewestSnapshot(files_.path("logs/config"));
  ASSERT_TRUE(newest);
  struct stat status {};
  ASSERT_EQ(stat(newest->c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  std::stringstream content;
  content << std::ifstream(*newest).rdbuf();
  EXPECT_THAT(content.str(), HasSubstr("inference_address=http\\://127.0.0.1\\:8080\n"));
  EXPECT_THAT(content.str(), HasSubstr(R"("marName"\:"m.mar","minWorkers"\:1)"));
  EXPECT_THAT(content.str(), Not(HasSubstr("load_models")));
  EXPECT_THAT(content.str(), Not(HasSubstr("=old")));
}

TEST_F(SnapshotWriterTest, Write_KeepsTheNewestOfThoseAfterChanges) {
  Start();
  SnapshotWriter writer(files_.path("logs/config"), {}, 2);
  ASSERT_TRUE(writer.Write(SnapshotOccasion::kStartup, *store_).ok());
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(writer.Write(SnapshotOccasion::kChange, *store_).ok());
  }
  const auto before = NewestSnapshot(files_.path("logs/config"));
  ASSERT_TRUE(writer.Write(SnapshotOccasion::kShutdown, *store_).ok());
  EXPECT_THAT(Files(), SizeIs(4));
  EXPECT_LT(*before, *NewestSnapshot(files_.path("logs/config")));
  EXPECT_THAT(*NewestSnapshot(files_.path("logs/config")), HasSubstr("-shutdown.cfg"));
  EXPECT_FALSE(NewestSnapshot(files_.path("none")));
  files_.File("file", "");
  SnapshotWriter nowhere(files_.path("file/config"), {});
  EXPECT_THAT(nowhere.Write(SnapshotOccasion::kChange, *store_).message(),
              HasSubstr("cannot make the directory"));
}

TEST_F(SnapshotWriterTest, MissingArchives_AreNamed) {
  Put("m.mar", Archive("m"));
  EXPECT_THAT(MissingArchives({{.registration = {.url = "m.mar"}},
                               {.registration = {.url = "none.mar"}},
                               {.registration = {.url = "https://host/x.mar"}}},
                              files_.path("store")),
              ElementsAre("none.mar"));
}

}  // namespace
}  // namespace headrace::store
