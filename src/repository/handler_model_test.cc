#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "repository/handler_config.h"
#include "repository/handler_manifest.h"
#include "repository/handler_settings.h"
#include "repository/model_plan.h"
#include "repository/override_store.h"
#include "repository/protobuf_messages.h"
#include "repository/scheduling_parameters.h"
#include "repository/testing/archive_maker.h"
#include "repository/testing/temporary_repository.h"
#include "repository/yaml_json.h"

namespace headrace::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string Json(std::string_view yaml) {
  const auto json = YamlToJson(yaml);
  return json.ok() ? *json : json.status().message();
}

TEST(YamlJsonTest, Convert_TakesScalarsByTheirForm) {
  EXPECT_EQ(Json("a: 1\nb: -0x1F\nc: 010\nd: 1_000\ne: 1.5\nf: 1.0e+3\ng: 1e3"),
            R"({"a":1,"b":-31,"c":8,"d":1000,"e":1.5,"f":1000.0,"g":"1e3"})");
  EXPECT_EQ(Json("a: yes\nb: Off\nc: ~\nd:\ne: 'yes'\nf: \"1\"\ng: !!str 7\nh: 1:30"),
            R"({"a":true,"b":false,"c":null,"d":null,"e":"yes","f":"1","g":"7","h":"1:30"})");
  EXPECT_EQ(Json("a: [1, {b: c}]\n3: x"), R"({"a":[1,{"b":"c"}],"3":"x"})");
  EXPECT_EQ(Json(""), "{}");
  EXPECT_EQ(Json("base: &b {x: 1, y: 2}\nuse:\n  <<: *b\n  y: 3"),
            R"({"base":{"x":1,"y":2},"use":{"y":3,"x":1}})");
}

TEST(YamlJsonTest, Convert_RefusesTagsBombsAndNonsense) {
  EXPECT_THAT(Json("a: !!python/object/apply:os.system ['x']"), HasSubstr("is not allowed"));
  EXPECT_THAT(Json("a: !evil x"), HasSubstr("1:4: the tag '!evil'"));
  EXPECT_THAT(Json("a: [1"), HasSubstr("end of sequence flow not found"));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format(
        "a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i,
        i - 1);
  }
  EXPECT_THAT(Json(bomb), HasSubstr("more than 100000 values"));
  EXPECT_THAT(Json(std::string(5000, '[')), HasSubstr(":"));
  EXPECT_THAT(Json("a: " + std::string(100, '[') + std::string(100, ']')),
              HasSubstr("nested deeper than 64 levels"));
  EXPECT_THAT(Json(std::string(kYamlByteSizeMax + 1, ' ')), HasSubstr("bytes are more than"));
}

TEST(HandlerSettingsTest, Read_TakesTheServersKeys) {
  const auto settings = ReadHandlerSettings(
      "minWorkers: 2\nmaxWorkers: 4\nbatchSize: 8\nmaxBatchDelay: 50\nresponseTimeout: 30\n"
      "startupTimeout: 60\nmaxRetryTimeoutInSec: 10\njobQueueSize: 7\ndeviceType: gpu\n"
      "deviceIds: [1, 0]\nthreadsPerWorker: 3\nhandler:\n  mine: true\n");
  ASSERT_TRUE(settings.ok()) << settings.status().message();
  EXPECT_EQ(settings->worker_count_min, 2);
  EXPECT_EQ(settings->worker_count_max, 4);
  EXPECT_EQ(settings->batch_size, 8);
  EXPECT_EQ(settings->batch_delay_ms, 50);
  EXPECT_EQ(settings->response_timeout_s, 30);
  EXPECT_EQ(settings->startup_timeout_s, 60);
  EXPECT_EQ(settings->retry_timeout_s, 10);
  EXPECT_EQ(settings->job_queue_size, 7);
  EXPECT_EQ(settings->thread_count, 3);
  EXPECT_EQ(settings->device_type, "gpu");
  EXPECT_THAT(settings->device_ids, ElementsAre(1, 0));
  EXPECT_THAT(settings->json, HasSubstr(R"("handler":{"mine":true})"));
  EXPECT_THAT(settings->warnings, IsEmpty());
}

TEST(HandlerSettingsTest, Read_WarnsOfWrongTypes) {
  const auto settings = ReadHandlerSettings(
      "minWorkers: 3\nmaxWorkers: 2\nbatchSize: many\nmaxBatchDelay: 0\ndeviceType: tpu\n"
      "deviceIds: [0, x]\nparallelType: up\nuseVenv: false\n");
  ASSERT_TRUE(settings.ok());
  EXPECT_FALSE(settings->worker_count_min || settings->batch_size || settings->batch_delay_ms);
  EXPECT_THAT(settings->device_ids, IsEmpty());
  EXPECT_THAT(settings->warnings,
              ElementsAre(HasSubstr("minWorkers"), HasSubstr("batchSize"), HasSubstr("deviceType"),
                          HasSubstr("deviceIds"), HasSubstr("'parallelType' is ignored")));
  EXPECT_THAT(ReadHandlerSettings("[1]").status().message(), HasSubstr("one map"));
}

TEST(HandlerSettingsTest, Read_BatchesNothingThatIsAsynchronous) {
  const auto settings = ReadHandlerSettings("asyncCommunication: true\nbatchSize: 4\n");
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->batch_size, 1);
  EXPECT_THAT(settings->warnings, ElementsAre(HasSubstr("'batchSize' is ignored")));
  EXPECT_THAT(ReadHandlerSettings("asyncCommunication: true\ncontinuousBatching: true\n")->warnings,
              ElementsAre(HasSubstr("'asyncCommunication' is ignored")));
}

TEST(HandlerSettingsTest, Read_TakesWhatSchedulingNeeds) {
  const auto settings = ReadHandlerSettings(
      "clientTimeoutInMills: 250\nuseJobTicket: true\npriorityLevels: 4\ndefaultPriority: 2\n"
      "sequenceBatching: true\nsequenceMaxIdleMSec: 1000\nsequenceTimeoutMSec: 5000\n"
      "maxNumSequence: 6\nmaxSequenceJobQueueSize: 3\n");
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->client_timeout_ms, 250);
  EXPECT_TRUE(settings->job_ticket);
  EXPECT_EQ(settings->priority_level_count, 4);
  EXPECT_EQ(settings->default_priority, 2);
  EXPECT_EQ(settings->sequence_idle_ms, 1000);
  EXPECT_EQ(settings->sequence_timeout_ms, 5000);
  EXPECT_EQ(settings->sequence_count_max, 6);
  EXPECT_EQ(settings->sequence_queue_size, 3);
  EXPECT_THAT(settings->warnings, IsEmpty());
}

TEST(HandlerSettingsTest, Read_WarnsOfSchedulingThatCannotBe) {
  const auto settings = ReadHandlerSettings(
      "sequenceBatching: true\nmaxNumSequence: 6\npriorityLevels: 2\ndefaultPriority: 3\n"
      "useJobTicket: maybe\n");
  ASSERT_TRUE(settings.ok());
  EXPECT_FALSE(settings->sequence_count_max || settings->priority_level_count);
  EXPECT_FALSE(settings->job_ticket);
  EXPECT_THAT(settings->warnings,
              ElementsAre(HasSubstr("useJobTicket"), HasSubstr("defaultPriority"),
                          HasSubstr("sequenceMaxIdleMSec")));
}

TEST(HandlerConfigTest, Complete_TakesTheThreadsOfAWorker_WhereTheConfigurationSaysNone) {
  HandlerVersion version;
  version.settings.thread_count = 3;
  inference::ModelConfig config;
  CompleteHandlerConfig({version}, {}, config);
  EXPECT_EQ(config.parameters().at("INTRA_OP_THREAD_COUNT").string_value(), "3");

  inference::ModelConfig own;
  (*own.mutable_parameters())["intra_op_thread_count"].set_string_value("1");
  CompleteHandlerConfig({version}, {}, own);
  EXPECT_EQ(own.parameters().count("INTRA_OP_THREAD_COUNT"), 0u);
}

TEST(HandlerConfigTest, Complete_BatchesContinuouslyBySequencesOfOneRequest) {
  HandlerVersion version;
  version.settings.batch_size = 8;
  version.settings.continuous_batching = true;
  version.settings.job_queue_size = 5;
  inference::ModelConfig config;
  CompleteHandlerConfig({version}, {}, config);
  EXPECT_TRUE(config.sequence_batching().iterative_sequence());
  EXPECT_EQ(config.sequence_batching().oldest().max_candidate_sequences(), 8);
  // A step never waits for company.
  EXPECT_EQ(config.sequence_batching().oldest().max_queue_delay_microseconds(), 0u);
  EXPECT_EQ(config.parameters().at("sequence_queue_size").string_value(), "5");
}

TEST(HandlerConfigTest, Complete_BatchesSequencesThatBeginByThemselves) {
  HandlerVersion version;
  version.settings.batch_size = 4;
  version.settings.batch_delay_ms = 10;
  version.settings.worker_count_min = version.settings.worker_count_max = 2;
  version.settings.sequence_idle_ms = 1500;
  version.settings.sequence_timeout_ms = 9000;
  version.settings.sequence_count_max = 20;
  inference::ModelConfig config;
  CompleteHandlerConfig({version}, {}, config);
  EXPECT_EQ(config.sequence_batching().max_sequence_idle_microseconds(), 1'500'000u);
  EXPECT_EQ(config.sequence_batching().oldest().max_candidate_sequences(), 10);
  EXPECT_EQ(config.sequence_batching().oldest().max_queue_delay_microseconds(), 10'000u);
  EXPECT_EQ(config.parameters().at("sequence_starts_by_itself").string_value(), "true");
  EXPECT_EQ(config.parameters().at("sequence_count_max").string_value(), "20");
  EXPECT_EQ(config.parameters().at("sequence_pending_max").string_value(), "1");
  EXPECT_EQ(config.parameters().at("sequence_age_max_ms").string_value(), "9000");

  engine::ModelOptions options;
  options.sequences.emplace();
  ASSERT_TRUE(ApplySchedulingParameters(config, options).ok());
  EXPECT_TRUE(options.sequences->starts_by_itself);
  EXPECT_EQ(options.sequences->sequence_count_max, 20u);
  EXPECT_EQ(options.sequences->pending_count_max, 1u);
  EXPECT_EQ(options.sequences->age_max, 9 * kSecond);
}

TEST(HandlerConfigTest, Complete_SchedulesByTimeoutsPrioritiesAndTickets) {
  HandlerVersion version;
  version.settings.client_timeout_ms = 250;
  version.settings.priority_level_count = 5;
  version.settings.job_ticket = true;
  inference::ModelConfig config;
  CompleteHandlerConfig({version}, {}, config);
  const auto& batching = config.dynamic_batching();
  EXPECT_EQ(batching.default_queue_policy().default_timeout_microseconds(), 250'000u);
  EXPECT_EQ(batching.priority_levels(), 5u);
  EXPECT_EQ(batching.default_priority_level(), 3u);
  engine::ModelOptions options;
  ASSERT_TRUE(ApplySchedulingParameters(config, options).ok());
  EXPECT_TRUE(options.job_tickets);
  (*config.mutable_parameters())["job_tickets"].set_string_value("yes");
  EXPECT_THAT(ApplySchedulingParameters(config, options).message(),
              HasSubstr("parameter 'job_tickets' must be"));
  (*config.mutable_parameters())["job_tickets"].set_string_value("false");
  (*config.mutable_parameters())["sequence_count_max"].set_string_value("0");
  EXPECT_THAT(ApplySchedulingParameters(config, options).message(),
              HasSubstr("parameter 'sequence_count_max' must be"));
}

TEST(HandlerManifestTest, Parse_RefusesWhatIsWrong) {
  const auto error = [](const std::string& json) {
    const auto manifest = ParseManifest(json);
    return manifest.ok() ? std::string("parsed") : manifest.status().message();
  };
  EXPECT_EQ(error(R"({"model": {"modelName": "m", "handler": "h.py:f", "modelVersion": 1.5}})"),
            "parsed");
  EXPECT_THAT(error("{"), HasSubstr("no JSON object"));
  EXPECT_THAT(error("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(error("{}"), HasSubstr("'model' is missing"));
  EXPECT_THAT(error(R"({"model": {"handler": 3}})"), HasSubstr("'handler' must be a string"));
  EXPECT_THAT(error(R"({"model": {"handler": "a\nb"}})"), HasSubstr("no name of a handler"));
  EXPECT_THAT(error(R"({"model": {"modelName": "../x"}})"), HasSubstr("'modelName'"));
  EXPECT_THAT(error(R"({"runtime": "LSP", "model": {}})"), HasSubstr("runtime 'LSP'"));
  EXPECT_NE(error(R"({"model": )" + std::string(64, '[') + std::string(64, ']') + "}"), "parsed");
}

class HandlerModelTest : public testing::Test {
 protected:
  HandlerModelTest() { options_.unpacked = &store_; }

  Result<ModelPlan> Plan() {
    return PlanModel({{"m", files_.path("m"), files_.path()}, std::nullopt, nullptr}, options_);
  }
  std::string Error() {
    const auto plan = Plan();
    return plan.ok() ? "planned" : plan.status().message();
  }
  static std::string Manifest(const std::string& more = "") {
    return R"({"runtime": "python", "model": {"modelName": "m", "handler": "h.py")" + more + "}}";
  }
  static ZipMaker Archive(const std::string& more = "") {
    ZipMaker zip;
    zip.Add("MAR-INF/MANIFEST.json", Manifest(more)).Add("h.py", "def handle(r, c): pass");
    return zip;
  }

  TemporaryRepository files_, temporary_;
  OverrideStore store_{{.temporary_directory = temporary_.path()}};
  PlanOptions options_;
};

TEST_F(HandlerModelTest, Plan_UnpacksAnArchiveAndCompletesTheConfiguration) {
  files_.File("m/1/any.mar",
              Archive(R"(, "configFile": "c.yaml")")
                  .Add("c.yaml",
                       "minWorkers: 2\nmaxWorkers: 3\nbatchSize: 4\nmaxBatchDelay: 20\n"
                       "responseTimeout: 5\n")
                  .Make());
  std::string directory;
  {
    const auto plan = Plan();
    ASSERT_TRUE(plan.ok()) << plan.status().message();
    const inference::ModelConfig& config = *plan->config;
    EXPECT_EQ(config.backend(), "handler");
    EXPECT_EQ(config.max_batch_size(), 4);
    EXPECT_EQ(config.dynamic_batching().max_queue_delay_microseconds(), 20'000u);
    EXPECT_EQ(config.instance_group(0).count(), 2);
    EXPECT_EQ(config.input(0).name(), "data");
    EXPECT_TRUE(config.input(0).allow_ragged_batch());
    EXPECT_EQ(config.output(0).name(), "body");
    EXPECT_EQ(config.parameters().at("response-timeout-seconds").string_value(), "5");
    EXPECT_EQ(config.parameters().count("start-timeout-seconds"), 0u);
    EXPECT_THAT(config.parameters().at("model_config.1").string_value(),
                HasSubstr("\"batchSize\":4"));
    directory = plan->source.location.directory;
    EXPECT_TRUE(directory.starts_with(temporary_.path()));
    EXPECT_TRUE(std::filesystem::exists(directory + "/1/h.py"));
    EXPECT_EQ(plan->watched.directory, files_.path("m"));
  }
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST_F(HandlerModelTest, Plan_HasTheSameFingerprintAgain) {
  files_.File("m/1/any.mar", Archive().Make());
  const auto first = Plan(), second = Plan();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->VersionFingerprint(1, first->directory),
            second->VersionFingerprint(1, second->directory));
}

TEST_F(HandlerModelTest, Plan_ServesAFolderWhereItIs) {
  files_.File("m/1/MAR-INF/MANIFEST.json", Manifest());
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->config->backend(), "handler");
  EXPECT_EQ(plan->source.location.directory, files_.path("m"));
  EXPECT_EQ(plan->config->max_batch_size(), 1);
}

TEST_F(HandlerModelTest, Plan_LeavesWhatTheConfigurationSays) {
  files_.File("m/config.pbtxt",
              "backend: \"handler\" max_batch_size: 3 instance_group { count: 5 kind: KIND_CPU }"
              "parameters { key: \"response-timeout-seconds\" value { string_value: \"1\" } }");
  files_.File("m/1/model-config.yaml", "batchSize: 9\nminWorkers: 1\nmaxWorkers: 1\n");
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->config->max_batch_size(), 3);
  EXPECT_EQ(plan->config->instance_group(0).count(), 5);
  EXPECT_EQ(plan->config->parameters().at("response-timeout-seconds").string_value(), "1");
}

TEST_F(HandlerModelTest, Plan_PutsWorkersOnGpusInTurn) {
  options_.gpus.ids = {0, 1, 2};
  files_.File("m/1/MAR-INF/MANIFEST.json", Manifest(R"(, "configFile": "c.yaml")"));
  files_.File("m/1/c.yaml", "minWorkers: 3\nmaxWorkers: 3\ndeviceType: gpu\ndeviceIds: [0, 2]\n");
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  ASSERT_EQ(plan->config->instance_group_size(), 2);
  EXPECT_EQ(plan->config->instance_group(0).gpus(0), 0);
  EXPECT_EQ(plan->config->instance_group(0).count(), 2);
  EXPECT_EQ(plan->config->instance_group(1).gpus(0), 2);
  EXPECT_EQ(plan->config->instance_group(1).count(), 1);
}

TEST_F(HandlerModelTest, Plan_RefusesBadArchives) {
  files_.File("m/1/any.mar", ZipMaker().Add("h.py", "").Make());
  EXPECT_THAT(Error(), HasSubstr("version 1: the archive holds no MAR-INF/MANIFEST.json"));
  files_.File("m/1/any.mar", Archive(R"(, "configFile": "../../etc/passwd")").Make());
  EXPECT_THAT(Error(), HasSubstr("'configFile'"));
  files_.File("m/1/any.mar", Archive(R"(, "serializedFile": "gone.pt")").Make());
  EXPECT_THAT(Error(), HasSubstr("'serializedFile' names 'gone.pt', which is not in the archive"));
  files_.File("m/1/any.mar",
              Archive(R"(, "configFile": "c.yaml")").Add("c.yaml", "a: !!python/none x").Make());
  EXPECT_THAT(Error(), HasSubstr("c.yaml:1:4"));
  ZipMaker large;
  large.Add("MAR-INF/MANIFEST.json", std::string(kManifestByteSizeMax + 1, ' '));
  files_.File("m/1/any.mar", large.Make());
  EXPECT_THAT(Error(), HasSubstr("the limit is"));
  files_.File("m/1/any.mar", Archive().Make());
  files_.File("m/1/other.mar", Archive().Make());
  EXPECT_THAT(Error(), HasSubstr("2 archives"));
  // Nothing stays of what was refused.
  std::size_t left = 0;
  for (const auto& root : std::filesystem::directory_iterator(temporary_.path())) {
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(root)) {
      ++left;
    }
  }
  EXPECT_EQ(left, 0u);
}

TEST_F(HandlerModelTest, Plan_TellsWorkersWhatTheirEnvironmentIsToHave) {
  files_.File("m/1/any.mar", Archive(R"(, "requirementsFile": "requirements.txt")")
                                 .Add("requirements.txt", "numpy")
                                 .Make());
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->config->parameters().at("requirements_file").string_value(), "requirements.txt");
}

TEST_F(HandlerModelTest, Plan_KeepsVersionsApart) {
  files_.File("m/config.pbtxt", "backend: \"handler\" version_policy { all {} }");
  const auto archive = [](const char* yaml) {
    return Archive(R"(, "configFile": "c.yaml")").Add("c.yaml", yaml).Make();
  };
  files_.File("m/1/a.mar", archive("batchSize: 2\nmine: one\n"));
  files_.File("m/2/a.mar", archive("batchSize: 4\nmine: two\n"));
  const auto plan = Plan();
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->config->max_batch_size(), 4);
  EXPECT_THAT(plan->config->parameters().at("model_config.1").string_value(), HasSubstr("one"));
  EXPECT_THAT(plan->config->parameters().at("model_config.2").string_value(), HasSubstr("two"));
  EXPECT_THAT(plan->warnings, ElementsAre(HasSubstr("version 1 are those of version 2")));
  files_.File("m/3/MAR-INF/MANIFEST.json", Manifest());
  EXPECT_THAT(Error(), HasSubstr("some of the versions are archives"));
}

}  // namespace
}  // namespace headrace::repository
