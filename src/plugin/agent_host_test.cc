#include "plugin/agent_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "plugin/agent_handle.h"
#include "plugin/library.h"
#include "plugin/values.h"

namespace headrace::plugin {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class AgentHostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(OpenHostLibrary(HEADRACE_HOST_LIBRARY_DIRECTORY).ok());
    root_ = fs::path(::testing::TempDir()) /
            ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::create_directories(root_ / "model" / "sealed" / "1");
    std::ofstream(root_ / "model" / "sealed" / "1" / "file") << "content";
  }

  engine::AgentSpec Spec(std::map<std::string, std::string> parameters = {}) const {
    parameters["journal"] = root_ / "journal";
    return {.name = "test", .parameters = std::move(parameters)};
  }
  engine::AgentTask Task(std::vector<engine::AgentSpec> agents) const {
    return {.model_name = "model",
            .model_directory = root_ / "model",
            .config_json = "{}",
            .agents = std::move(agents)};
  }
  std::string Journal() const {
    std::ifstream in(root_ / "journal");
    std::string text, line;
    while (std::getline(in, line)) {
      text += (text.empty() ? "" : " ") + line;
    }
    fs::remove(root_ / "journal");
    return text;
  }

  fs::path root_;
  AgentHost host_{HEADRACE_TEST_AGENTS};
};

TEST_F(AgentHostTest, AnAgentHearsOfEverything) {
  auto agents = host_.Load(Task({Spec()})).value();
  EXPECT_EQ(agents->directory(), root_ / "model");
  EXPECT_EQ(Journal(), "test:initialize test:LOAD");
  agents->LoadComplete();
  agents->LoadComplete();
  EXPECT_EQ(Journal(), "test:LOAD_COMPLETE");
  agents->Unload();
  agents->Unload();
  EXPECT_EQ(Journal(), "test:UNLOAD");
  agents.reset();
  EXPECT_EQ(Journal(), "test:UNLOAD_COMPLETE test:finalize");
}

TEST_F(AgentHostTest, TheEndSaysWhatWasNotSaid) {
  auto agents = host_.Load(Task({Spec()})).value();
  agents.reset();
  EXPECT_EQ(Journal(), "test:initialize test:LOAD test:LOAD_FAIL test:finalize");
  agents = host_.Load(Task({Spec()})).value();
  agents->LoadComplete();
  agents.reset();
  EXPECT_EQ(Journal(),
            "test:initialize test:LOAD test:LOAD_COMPLETE test:UNLOAD test:UNLOAD_COMPLETE "
            "test:finalize");
}

TEST_F(AgentHostTest, WhatAnAgentMakes_LivesAsLongAsItsModel) {
  for (const char* release : {"", "yes"}) {
    auto agents = host_.Load(Task({Spec({{"unseal", "sealed"}, {"release", release}})})).value();
    const fs::path made = agents->directory();
    EXPECT_NE(made, root_ / "model");
    EXPECT_TRUE(fs::exists(made / "1" / "file"));
    EXPECT_EQ(fs::status(made).permissions(), fs::perms::owner_all);
    agents->LoadComplete();
    agents->Unload();
    EXPECT_TRUE(fs::exists(made / "1" / "file"));
    agents.reset();
    EXPECT_FALSE(fs::exists(made));
  }
}

TEST_F(AgentHostTest, AgentsActInTurn_TheNextOneOnWhatTheOneBeforeLeft) {
  auto agents = host_
                    .Load(Task({Spec({{"as", "1"}, {"unseal", "sealed"}}),
                                Spec({{"as", "2"}, {"unseal", "1"}})}))
                    .value();
  EXPECT_TRUE(fs::exists(fs::path(agents->directory()) / "file"));
  agents->LoadComplete();
  agents.reset();
  EXPECT_EQ(Journal(),
            "test:1initialize test:1LOAD test:2initialize test:2LOAD test:2LOAD_COMPLETE "
            "test:1LOAD_COMPLETE test:1UNLOAD test:2UNLOAD test:2UNLOAD_COMPLETE "
            "test:1UNLOAD_COMPLETE test:2finalize test:1finalize");
}

TEST_F(AgentHostTest, LoadedAgents_AreThoseWhoseLibrariesAreOpen) {
  EXPECT_TRUE(host_.LoadedAgents().empty());
  EXPECT_FALSE(host_.Load(Task({{.name = "missing", .parameters = {}}})).ok());
  EXPECT_TRUE(host_.LoadedAgents().empty());
  ASSERT_TRUE(host_.Load(Task({Spec({})})).ok());
  ASSERT_EQ(host_.LoadedAgents().size(), 1U);
  EXPECT_EQ(host_.LoadedAgents()[0].name, "test");
  EXPECT_TRUE(fs::is_regular_file(host_.LoadedAgents()[0].path));
}

TEST_F(AgentHostTest, WhereAnAgentFails_AllHearOfIt) {
  EXPECT_EQ(host_.Load(Task({Spec({{"as", "1"}}), Spec({{"as", "2"}, {"fail", "LOAD"}})}))
                .status()
                .message(),
            "repository agent 'test': the agent fails");
  EXPECT_EQ(Journal(),
            "test:1initialize test:1LOAD test:2initialize test:2LOAD test:2LOAD_FAIL "
            "test:1LOAD_FAIL test:2finalize test:1finalize");
  EXPECT_THAT(host_.Load(Task({Spec({{"fail", "throw"}})})).status().message(),
              HasSubstr("threw: the agent throws"));
  Journal();
  EXPECT_THAT(host_.Load(Task({Spec({{"fail", "initialize"}})})).status().message(),
              HasSubstr("not this model"));
  EXPECT_EQ(Journal(), "test:initialize");
}

TEST_F(AgentHostTest, AFailureAfterTheLoad_ChangesNothing) {
  auto agents = host_.Load(Task({Spec({{"fail", "LOAD_COMPLETE"}})})).value();
  agents->LoadComplete();
  agents.reset();
  EXPECT_THAT(Journal(), HasSubstr("LOAD_COMPLETE test:UNLOAD test:UNLOAD_COMPLETE"));
}

TEST_F(AgentHostTest, LibrariesThatAreNone_AreRefused) {
  engine::AgentSpec spec = Spec();
  spec.name = "missing";
  EXPECT_THAT(host_.Load(Task({spec})).status().message(),
              HasSubstr("test_agents/missing/libtritonrepoagent_missing.so"));
  spec.name = "../test";
  EXPECT_THAT(host_.Load(Task({spec})).status().message(), HasSubstr("must be a plain name"));
  fs::create_directories(root_ / "empty");
  fs::copy_file(fs::path(HEADRACE_HOST_LIBRARY_DIRECTORY) / "libtritonserver.so",
                root_ / "empty" / "libtritonrepoagent_empty.so");
  AgentHost host(root_);
  spec.name = "empty";
  EXPECT_THAT(host.Load(Task({spec})).status().message(),
              HasSubstr("required entrypoint 'TRITONREPOAGENT_ModelAction'"));
}

TEST_F(AgentHostTest, CallsWithoutSense_AreRefused) {
  const auto text = [](TRITONSERVER_Error* error) { return TakeTriton(error).message(); };
  TRITONREPOAGENT_Agent agent;
  TRITONREPOAGENT_AgentModel model;
  const char* location = nullptr;
  const char* value = nullptr;
  TRITONSERVER_Message* message = nullptr;
  EXPECT_THAT(text(TRITONREPOAGENT_ModelRepositoryUpdate(&agent, &model,
                                                         TRITONREPOAGENT_ARTIFACT_FILESYSTEM, "/")),
              HasSubstr("only be replaced during"));
  EXPECT_NE(text(TRITONREPOAGENT_ModelRepositoryLocationAcquire(
                &agent, &model, TRITONREPOAGENT_ARTIFACT_REMOTE_FILESYSTEM, &location)),
            "");
  EXPECT_THAT(text(TRITONREPOAGENT_ModelRepositoryLocationRelease(&agent, &model, "/")),
              HasSubstr("no location that the agent has acquired"));
  EXPECT_THAT(text(TRITONREPOAGENT_ModelParameter(&agent, &model, 0, &location, &value)),
              HasSubstr("has 0 parameters"));
  EXPECT_NE(text(TRITONREPOAGENT_ModelConfig(&agent, &model, 2, &message)), "");
  model.config_json = "{\"name\":\"m\"}";
  ASSERT_EQ(text(TRITONREPOAGENT_ModelConfig(&agent, &model, 1, &message)), "");
  EXPECT_EQ(message->json, model.config_json);
  ASSERT_EQ(text(TRITONSERVER_MessageDelete(message)), "");
  std::uint32_t major = 9, minor = 9;
  ASSERT_EQ(text(TRITONREPOAGENT_ApiVersion(&major, &minor)), "");
  EXPECT_EQ(major, 0u);
  EXPECT_EQ(minor, 1u);
}

}  // namespace
}  // namespace headrace::plugin
