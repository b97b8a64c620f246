#include "server/torchserve_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "server/torchserve_keys.h"

namespace headrace::server {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// In a directory of its own that has a model store and is the current one.
class TorchServeSettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "settingsXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(directory_);
    std::filesystem::create_directory("store");
    flags_.model_store = "store";
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(directory_);
  }

  void Write(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::absolute(path).parent_path());
    std::ofstream(path) << text;
  }
  Result<ResolvedTorchServe> Resolve() {
    return ResolveTorchServe(flags_, [this](const char* name) -> const char* {
      const auto found = variables_.find(name);
      return found == variables_.end() ? nullptr : found->second.c_str();
    });
  }
  ResolvedTorchServe Resolved() {
    auto resolved = Resolve();
    EXPECT_TRUE(resolved.ok()) << resolved.status().message();
    return resolved.ok() ? *std::move(resolved) : ResolvedTorchServe();
  }
  TorchServeConfig Config() { return Resolved().config.torchserve; }
  std::string Refused() {
    const auto resolved = Resolve();
    EXPECT_FALSE(resolved.ok());
    return resolved.status().message();
  }

  std::string directory_;
  std::filesystem::path before_;
  TorchServeFlags flags_;
  std::map<std::string, std::string> variables_;
};

TEST_F(TorchServeSettingsTest, Defaults_AreTorchServes_ButForWhatIsUnsafeOrUseless) {
  const TorchServeConfig config = Config();
  EXPECT_EQ(config.inference_address.Shown(8080), "http://127.0.0.1:8080");
  EXPECT_EQ(config.management_address.port, 8081);
  EXPECT_EQ(config.metrics_address.port, 8082);
  EXPECT_EQ(config.grpc_inference_port, 7070u);
  EXPECT_EQ(config.grpc_management_address, "127.0.0.1");
  EXPECT_EQ(config.job_queue_size, 100);
  EXPECT_EQ(config.max_request_size, 6'553'500u);
  EXPECT_FALSE(config.enable_model_api);
  EXPECT_FALSE(config.disable_token_authorization);
  EXPECT_THAT(config.allowed_urls, IsEmpty());
  EXPECT_EQ(config.metrics_mode, "prometheus");
  EXPECT_TRUE(config.snapshots);
  EXPECT_EQ(config.workflow_store, "store");
}

TEST_F(TorchServeSettingsTest, TheTritonPorts_StayClosed) {
  const ServerConfig config = Resolved().config;
  EXPECT_FALSE(config.allow_http);
  EXPECT_FALSE(config.allow_grpc);
  EXPECT_FALSE(config.allow_metrics);
  EXPECT_TRUE(config.torchserve.enabled);
}

TEST_F(TorchServeSettingsTest, File_IsTheVariables_ThenTheFlags_ThenASnapshot_ThenTheDirectorys) {
  EXPECT_EQ(Resolved().file, "");
  Write("config.properties", "job_queue_size=1\n");
  EXPECT_EQ(Config().job_queue_size, 1);
  Write("logs/config/20260101000000000-startup.cfg", "job_queue_size=9\n");
  Write("logs/config/20260102000000000-shutdown.cfg", "job_queue_size=2\n");
  Write("logs/config/20270101000000000.txt", "job_queue_size=8\n");
  EXPECT_EQ(Config().job_queue_size, 2);
  EXPECT_THAT(Resolved().warnings, Contains(HasSubstr("20260102000000000-shutdown.cfg")));
  Write("flag.properties", "job_queue_size=3\n");
  flags_.ts_config = "flag.properties";
  EXPECT_EQ(Config().job_queue_size, 3);
  Write("variable.properties", "job_queue_size=4\n");
  variables_["TS_CONFIG_FILE"] = "variable.properties";
  EXPECT_EQ(Config().job_queue_size, 4);
}

TEST_F(TorchServeSettingsTest, Snapshot_IsNotRestored_WhenModelsAreNamed_OrSnapshotsAreOff) {
  Write("logs/config/20260102000000000-shutdown.cfg", "job_queue_size=2\n");
  flags_.models = {"a.mar"};
  EXPECT_EQ(Config().job_queue_size, 100);
  flags_.models.clear();
  flags_.no_config_snapshots = true;
  EXPECT_EQ(Config().job_queue_size, 100);
  EXPECT_FALSE(Config().snapshots);
}

TEST_F(TorchServeSettingsTest, Values_OfFlags_BeatTheFiles) {
  Write("config.properties",
        "model_store=elsewhere\nload_models=a.mar, b=b.mar\nenable_model_api=false\n");
  EXPECT_THAT(Config().load_models, ElementsAre("a.mar", "b=b.mar"));
  EXPECT_EQ(Config().model_store, "store");
  flags_.models = {"c.mar", "d=d.mar"};
  flags_.enable_model_api = flags_.disable_token_auth = true;
  EXPECT_THAT(Config().load_models, ElementsAre("c.mar", "d=d.mar"));
  EXPECT_TRUE(Config().enable_model_api);
  EXPECT_TRUE(Config().disable_token_authorization);
}

TEST_F(TorchServeSettingsTest, Values_OfTheEnvironment_CountOnlyIfTheFileSaysSo) {
  variables_ = {{"TS_JOB_QUEUE_SIZE", "7"},
                {"TS_TOKEN_EXPIRATION_TIME_MIN", "0.5"},
                {"TS_OPEN_INFERENCE_PROTOCOL", "oip"},
                {"TS_LOAD_MODELS", "e.mar"},
                {"TS_ALLOWED_URLS", "https://a/.*"}};
  flags_.models = {"c.mar"};
  Write("config.properties", "job_queue_size=5\n");
  EXPECT_EQ(Config().job_queue_size, 5);
  Write("config.properties", "job_queue_size=5\nenable_envvars_config=TRUE\n");
  const TorchServeConfig config = Config();
  EXPECT_EQ(config.job_queue_size, 7);
  EXPECT_EQ(config.token_expiration_min, 0.5);
  EXPECT_TRUE(config.ts_open_inference_protocol);
  EXPECT_THAT(config.load_models, ElementsAre("e.mar"));
  EXPECT_THAT(config.allowed_urls, IsEmpty());
  Write("config.properties", "enable_envvars_config=true\nuse_env_allowed_urls=true\n");
  EXPECT_THAT(Config().allowed_urls, ElementsAre("https://a/.*"));
}

TEST_F(TorchServeSettingsTest, Values_MayNameVariables) {
  variables_["PORT"] = "8085";
  Write("config.properties", "inference_address=http://0.0.0.0:$$PORT$$\n");
  EXPECT_EQ(Config().inference_address.Shown(8085), "http://0.0.0.0:8085");
  Write("config.properties", "inference_address=http://0.0.0.0:$$OTHER$$\n");
  EXPECT_THAT(Refused(), HasSubstr("inference_address: $$OTHER$$"));
}

TEST_F(TorchServeSettingsTest, Locations_AreTheEnvironments) {
  variables_ = {{"LOG_LOCATION", "l"}, {"METRICS_LOCATION", "m"}, {"TEMP", directory_}};
  const TorchServeConfig config = Config();
  EXPECT_EQ(config.log_location, "l");
  EXPECT_EQ(config.metrics_location, "m");
  EXPECT_EQ(config.temporary_directory, directory_);
  variables_["TEMP"] = directory_ + "/missing";
  EXPECT_THAT(Refused(), HasSubstr("Invalid temp directory: "));
}

TEST_F(TorchServeSettingsTest, Keys_WithoutEffect_AreWarnedAboutByName_UnlessTheyHoldTheDefault) {
  Write("config.properties", "vmargs=-Xmx4g\nuse_native_io=true\nmodel_stroe=x\nio_ratio=60\n");
  const std::vector<std::string> warnings = Resolved().warnings;
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("io_ratio has no effect"),
                                    HasSubstr("model_stroe is not known"),
                                    HasSubstr("vmargs has no effect: there is no JVM here")));
}

TEST_F(TorchServeSettingsTest, Values_ThatMakeNoSense_AreRefusedByKey) {
  for (const auto& [line, reason] :
       {std::pair("job_queue_size=many", "job_queue_size: expected a whole number from 1"),
        std::pair("job_queue_size=0", "job_queue_size"),
        std::pair("job_queue_size=99999999999999999999", "job_queue_size"),
        std::pair("max_request_size=-1", "max_request_size"),
        std::pair("grpc_inference_port=70000", "grpc_inference_port"),
        std::pair("inference_address=8080", "inference_address: expected http://HOST:PORT"),
        std::pair("inference_address=http://127.0.0.1:99999", "port"),
        std::pair("inference_address=http://127.0.0.1:80/x", "without a path"),
        std::pair("management_address=http://:8081", "management_address"),
        std::pair("metrics_address=http://[::1", "metrics_address"),
        std::pair("metrics_address=unix:", "metrics_address"),
        std::pair("token_expiration_min=soon", "token_expiration_min"),
        std::pair("token_expiration_min=nan", "token_expiration_min"),
        std::pair("token_expiration_min=0", "token_expiration_min"),
        std::pair("metrics_mode=loud", "metrics_mode: expected log, prometheus or legacy"),
        std::pair("service_envelope=brown", "service_envelope")}) {
    Write("config.properties", line);
    EXPECT_THAT(Refused(), HasSubstr(reason)) << line;
    EXPECT_THAT(Refused(), HasSubstr("config.properties: key ")) << line;
  }
}

TEST_F(TorchServeSettingsTest, WhatIsMissing_IsToldInTorchServesWords) {
  flags_.model_store.clear();
  EXPECT_EQ(Refused(), "Missing mandatory parameter --model-store");
  flags_.model_store = "nowhere";
  EXPECT_EQ(Refused(), "--model-store directory not found: nowhere");
  flags_.model_store = "store";
  flags_.workflow_store = "nowhere";
  EXPECT_EQ(Refused(), "--workflow-store directory not found: nowhere");
  flags_.workflow_store.clear();
  flags_.log_config = "log4j.xml";
  EXPECT_EQ(Refused(), "--log-config file not found: log4j.xml");
  flags_.log_config.clear();
  flags_.ts_config = "none.properties";
  EXPECT_EQ(Refused(), "--ts-config file not found: none.properties");
}

TEST_F(TorchServeSettingsTest, ModelStore_MayComeFromTheFile) {
  flags_.model_store.clear();
  Write("config.properties", "model_store=store\n");
  EXPECT_EQ(Config().model_store, "store");
}

TEST_F(TorchServeSettingsTest, SageMakersVariables_CountWithoutAFile) {
  variables_ = {{"SAGEMAKER_BIND_TO_PORT", "8080"},
                {"SAGEMAKER_MODEL_STORE", "store"},
                {"SAGEMAKER_NUM_MODEL_WORKERS", "3"}};
  flags_.model_store.clear();
  const TorchServeConfig config = Config();
  EXPECT_EQ(config.inference_address.Shown(8080), "http://0.0.0.0:8080");
  EXPECT_TRUE(config.inference_address.SameAs(config.management_address));
  EXPECT_EQ(config.default_workers_per_model, 3);
  EXPECT_TRUE(config.disable_token_authorization);
  EXPECT_FALSE(config.decode_input_request);
  Write("config.properties", "model_store=store\n");
  EXPECT_EQ(Config().inference_address.Shown(8080), "http://127.0.0.1:8080");
  variables_["SAGEMAKER_BIND_TO_PORT"] = "many";
  std::filesystem::remove("config.properties");
  EXPECT_THAT(Refused(), HasSubstr("SageMaker's variables: inference_address"));
}

TEST_F(TorchServeSettingsTest, BesideTheRest_TheServersOwnListenersStay) {
  Write("own.properties", "model_store=store\njob_queue_size=6\nvmargs=x\n");
  ServerConfig config;
  std::vector<std::string> warnings;
  const auto nothing = [](const char*) -> const char* { return nullptr; };
  EXPECT_TRUE(CompleteTorchServe(config, nothing, warnings).ok());
  EXPECT_FALSE(config.torchserve.enabled);
  config.torchserve.config_file = "own.properties";
  EXPECT_TRUE(CompleteTorchServe(config, nothing, warnings).ok());
  EXPECT_TRUE(config.torchserve.enabled && config.allow_http && !config.torchserve.program);
  EXPECT_EQ(config.torchserve.model_store, "store");
  EXPECT_EQ(config.torchserve.job_queue_size, 6);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("vmargs")));
  config.torchserve.model_store = "nowhere";
  EXPECT_FALSE(CompleteTorchServe(config, nothing, warnings).ok());
}

TEST(TorchServeKeysTest, EachKey_IsThereOnce_AndEitherActsOrSaysWhyNot) {
  for (const TorchServeKey& key : TorchServeKeys()) {
    EXPECT_EQ(FindTorchServeKey(key.name), &key) << key.name;
    EXPECT_EQ(key.set == nullptr, !key.reason.empty()) << key.name;
  }
  EXPECT_EQ(TorchServeEnvironmentName("job_queue_size"), "TS_JOB_QUEUE_SIZE");
}

TorchServeFlags Flags(const std::vector<std::string>& arguments) {
  auto flags = ParseTorchServeFlags(arguments);
  EXPECT_TRUE(flags.ok()) << flags.status().message();
  return flags.ok() ? *flags : TorchServeFlags();
}

TEST(TorchServeFlagsTest, Parse_TakesWhatPythonsProgramTakes) {
  const TorchServeFlags flags =
      Flags({"--start", "--model-store", "s", "--models", "a.mar", "b=b.mar", "--ncs",
             "--ts-config=c", "--foreground", "--dt", "--enable-model", "--ppath", "p"});
  EXPECT_TRUE(flags.start && flags.foreground && flags.no_config_snapshots);
  EXPECT_TRUE(flags.disable_token_auth && flags.enable_model_api);
  EXPECT_EQ(flags.model_store, "s");
  EXPECT_EQ(flags.ts_config, "c");
  EXPECT_EQ(flags.plugins_path, "p");
  EXPECT_THAT(flags.models, ElementsAre("a.mar", "b=b.mar"));
  EXPECT_TRUE(Flags({"-v"}).version);
  EXPECT_THAT(Flags({"--models=all"}).models, ElementsAre("all"));
}

TEST(TorchServeFlagsTest, Parse_RefusesTheRest) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--start", "--stop"},
                                                    {"--model-store"},
                                                    {"--models"},
                                                    {"--models", "--ncs"},
                                                    {"--model"},
                                                    {"--unknown"},
                                                    {"-x"},
                                                    {"--"},
                                                    {"stray"},
                                                    {"--ncs=true"},
                                                    {""}}) {
    EXPECT_FALSE(ParseTorchServeFlags(arguments).ok()) << testing::PrintToString(arguments);
  }
}

}  // namespace
}  // namespace headrace::server
