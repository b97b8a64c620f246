#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/configured_models.h"
#include "store/model_settings.h"
#include "store/store_directory.h"
#include "store/version_number.h"

namespace headrace::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(VersionNumberTest, Number_IsTheNamesOwnIfItCanBe) {
  EXPECT_EQ(NumberOfVersion("1.0", {}), 1);
  EXPECT_EQ(NumberOfVersion("3", {}), 3);
  EXPECT_EQ(NumberOfVersion("1", {1}), 1'000'001);
  EXPECT_EQ(NumberOfVersion("1.1", {}), 1'000'001);
  EXPECT_EQ(NumberOfVersion("0.0", {}), 1'000'001);
  EXPECT_EQ(NumberOfVersion("01", {1'000'001}), 1'000'002);
  EXPECT_EQ(NumberOfVersion("1000001", {}), 1'000'001);
  EXPECT_TRUE(CheckVersionName("2.5-beta+cu12").ok());
  for (const char* bad : {"", "a/b", "1..2", "a b", "\x01"}) {
    EXPECT_FALSE(CheckVersionName(bad).ok()) << bad;
  }
  EXPECT_FALSE(CheckVersionName(std::string(129, '1')).ok());
}

TEST(ModelSettingsTest, Merge_TakesTheFirstThatIsSaid) {
  ModelStoreOptions options;
  repository::HandlerSettings archive;
  WantedSettings wanted, configured;
  ModelSettings settings = MergeSettings(wanted, archive, configured, options, false);
  EXPECT_EQ(settings.batch_size, 1);
  EXPECT_EQ(settings.batch_delay_ms, 100);
  EXPECT_EQ(settings.response_timeout_s, 120);
  EXPECT_EQ(settings.worker_count_min, 0);
  configured.batch_size = configured.batch_delay_ms = configured.response_timeout_s = 3;
  configured.worker_count_min = 3;
  settings = MergeSettings(wanted, archive, configured, options, false);
  EXPECT_EQ(settings.batch_size, 3);
  EXPECT_EQ(settings.batch_delay_ms, 3);
  EXPECT_EQ(settings.response_timeout_s, 3);
  EXPECT_EQ(settings.worker_count_min, 3);
  EXPECT_EQ(settings.worker_count_max, 3);
  archive.batch_size = archive.batch_delay_ms = archive.response_timeout_s = 2;
  archive.worker_count_min = 2;
  archive.worker_count_max = 5;
  archive.job_queue_size = 7;
  settings = MergeSettings(wanted, archive, configured, options, false);
  EXPECT_EQ(settings.batch_size, 2);
  EXPECT_EQ(settings.batch_delay_ms, 2);
  EXPECT_EQ(settings.response_timeout_s, 2);
  EXPECT_EQ(settings.worker_count_min, 2);
  EXPECT_EQ(settings.worker_count_max, 5);
  EXPECT_EQ(settings.queue_capacity, 7);
  wanted.batch_size = 4;
  wanted.batch_delay_ms = 0;  // no delay at all
  wanted.response_timeout_s = 1;
  wanted.worker_count_min = wanted.worker_count_max = 0;
  settings = MergeSettings(wanted, archive, configured, options, false);
  EXPECT_EQ(settings.batch_size, 4);
  EXPECT_EQ(settings.batch_delay_ms, 0);
  EXPECT_EQ(settings.response_timeout_s, 1);
  EXPECT_EQ(settings.worker_count_min, 0);
  EXPECT_EQ(settings.worker_count_max, 0);
  wanted.batch_size = wanted.batch_delay_ms = -1;  // as good as not said
  settings = MergeSettings(wanted, archive, configured, options, false);
  EXPECT_EQ(settings.batch_size, 2);
  EXPECT_EQ(settings.batch_delay_ms, 2);
}

TEST(ModelSettingsTest, Merge_ChoosesWorkersAndDevices) {
  ModelStoreOptions options;
  options.gpu_ids = {0, 1};
  ModelSettings settings = MergeSettings({}, {}, {}, options, true);
  EXPECT_EQ(settings.worker_count_min, 2);
  EXPECT_THAT(settings.gpus, ElementsAre(0, 1));
  EXPECT_FALSE(settings.own_gpu_turn);
  repository::HandlerSettings archive;
  archive.device_ids = {1};
  settings = MergeSettings({}, archive, {}, options, true);
  EXPECT_THAT(settings.gpus, ElementsAre(1));
  EXPECT_TRUE(settings.own_gpu_turn);
  archive.device_ids = {1, 7};
  EXPECT_THAT(MergeSettings({}, archive, {}, options, true).gpus, ElementsAre(0, 1));
  archive.device_type = "cpu";
  EXPECT_THAT(MergeSettings({}, archive, {}, options, true).gpus, IsEmpty());
  options.worker_count_at_start = 5;
  EXPECT_EQ(MergeSettings({}, {}, {}, options, true).worker_count_min, 5);
}

TEST(ModelSettingsTest, Merge_PutsWorkersOnGroupsOfGpus) {
  ModelStoreOptions options;
  options.gpu_ids = {0, 1, 2, 3, 4};
  repository::HandlerSettings archive;
  archive.parallel.gpus_per_worker = 2;
  const ModelSettings settings = MergeSettings({}, archive, {}, options, true);
  EXPECT_THAT(settings.gpus, ElementsAre(0, 2));
  EXPECT_TRUE(settings.own_gpu_turn);
}

TEST(ModelSettingsTest, FactsOfArchive_SayWhatHolds) {
  ModelSettings settings;
  settings.batch_size = 4;
  settings.worker_count_max = 2;
  const auto facts_of = [&](std::string_view yaml) {
    return FactsOfArchive(*repository::ReadHandlerSettings(yaml), settings);
  };
  ArchiveFacts facts = facts_of(
      "clientTimeoutInMills: 5\nparallelType: pp\nparallelLevel: 2\ntorchrun: {nproc-per-node: 3}\n"
      "useJobTicket: true\nsequenceMaxIdleMSec: 10\nmaxNumSequence: 3\n");
  EXPECT_EQ(facts.client_timeout_ms, 5);
  EXPECT_EQ(facts.parallel_type, "pp");
  EXPECT_EQ(facts.parallel_level, 3);
  EXPECT_TRUE(facts.job_ticket);
  EXPECT_TRUE(facts.stateful);
  EXPECT_EQ(facts.sequence_count_max, 8);
  EXPECT_EQ(facts.sequence_queue_size, 1);
  facts = facts_of("parallelType: up\nuseJobTicket: 1\nmaxNumSequence: 3\n");
  EXPECT_EQ(facts.parallel_type, "");
  EXPECT_FALSE(facts.job_ticket);
  EXPECT_EQ(facts.sequence_count_max, 0);
  // What the model does not do is not said of it.
  facts = facts_of("continuousBatching: true\nsequenceMaxIdleMSec: 10\nparallelLevel: 1000\n");
  EXPECT_FALSE(facts.stateful);
  EXPECT_EQ(facts.parallel_level, 0);
  EXPECT_EQ(FactsOfArchive({}, settings).client_timeout_ms, 0);
}

TEST(ConfiguredModelsTest, Parse_TakesNumbersAndTexts) {
  const auto models = ParseConfiguredModels(
      R"({"m":{"1.0":{"batchSize":"8","maxBatchDelay":0,"minWorkers":2,"responseTimeout":"x"}}})");
  ASSERT_TRUE(models.ok()) << models.status().message();
  const WantedSettings& settings = models->at("m").at("1.0");
  EXPECT_EQ(settings.batch_size, 8);
  EXPECT_FALSE(settings.batch_delay_ms || settings.response_timeout_s);
  EXPECT_EQ(settings.worker_count_min, 2);
  EXPECT_THAT(ParseConfiguredModels("{").status().message(), HasSubstr("models: it is no JSON"));
  EXPECT_THAT(ParseConfiguredModels(R"({"m":1})").status().message(), HasSubstr("'m' must be"));
  EXPECT_THAT(ParseConfiguredModels(R"({"m":{"1":2}})").status().message(),
              HasSubstr("version '1' of 'm'"));
}

TEST(StoreDirectoryTest, NameOfArchive_IsOneThatModelsMayHave) {
  EXPECT_EQ(NameOfArchive("a/my-model.mar"), "my_model");
  EXPECT_EQ(NameOfArchive("m.model"), "m");
  EXPECT_EQ(NameOfArchive("m.tar.gz"), "m_tar_gz");
  EXPECT_EQ(NameOfArchive("folder/"), "folder");
  EXPECT_EQ(NameOfArchive("https://h/x.mar?a=b/c"), "x");
}

TEST(StoreDirectoryTest, PlaceFor_TakesTheLastPartOfAUrl) {
  const StoreDirectory directory("/");
  std::string path;
  EXPECT_TRUE(directory.PlaceFor("https://h/a/m.mar?x=/y", path).ok());
  EXPECT_TRUE(path.ends_with("/m.mar"));
  for (const char* url : {"https://h", "https://h/", "https://h/..", "https://h/.m",
                          "https://h/a%2f", "https://h/a\\b"}) {
    EXPECT_EQ(directory.PlaceFor(url, path).fault, StoreFault::kModelNotFound) << url;
  }
  EXPECT_EQ(StoreDirectory("").PlaceFor("https://h/m", path).message,
            "Model store has not been configured.");
}

}  // namespace
}  // namespace headrace::store
