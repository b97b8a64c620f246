#include "repository/model_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <set>
#include <thread>

#include "repository/testing/manager_fixture.h"

namespace headrace::repository {
namespace {

using engine::ModelState;
using engine::testing::Answer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

TEST_F(ModelManagerTest, LoadAtStart_LoadsEverything) {
  files_.Model("a", kConfig);
  files_.Model("b", kConfig, "3");
  EXPECT_TRUE(Start(ControlMode::kNone).AllLoaded());
  ASSERT_TRUE(start_.ok()) << start_.message();
  EXPECT_THAT(Index(), ElementsAre("a:1=READY", "b:3=READY"));
  EXPECT_TRUE(manager_->Ready(true));
  EXPECT_TRUE(Infer("a").ok());
  EXPECT_EQ(Find("b")->version(), 3);
}

TEST_F(ModelManagerTest, LoadAtStart_ReturnsFaultsOfTheRepository) {
  options_.repository_paths = {"s3://bucket/models"};
  Start(ControlMode::kNone);
  EXPECT_EQ(start_.code(), StatusCode::kUnimplemented);
  EXPECT_FALSE(manager_->AllLoaded());
  EXPECT_FALSE(manager_->Ready(false));
  options_.repository_paths = {files_.path("none")};
  Start(ControlMode::kNone);
  EXPECT_EQ(start_.code(), StatusCode::kInvalidArgument);
}

TEST_F(ModelManagerTest, LoadAtStart_KeepsGoodModels_WhenOthersAreBroken) {
  for (int i = 0; i < 90; ++i) {
    files_.Model("good" + std::to_string(i), kConfig);
  }
  for (int i = 0; i < 10; ++i) {
    files_.Model("syntax" + std::to_string(i), "backend: \"fake\"\nfoo {");
    provider_.fail.insert("backend" + std::to_string(i));
    files_.Model("backend" + std::to_string(i), kConfig);
  }
  Start(ControlMode::kNone);
  ASSERT_TRUE(start_.ok());
  EXPECT_FALSE(manager_->AllLoaded());
  EXPECT_FALSE(manager_->Ready(true));
  EXPECT_TRUE(manager_->Ready(false));
  EXPECT_THAT(Index(true), SizeIs(90));
  EXPECT_THAT(Index(), SizeIs(110));
  EXPECT_THAT(ReasonOf("syntax3"), StartsWith("Invalid argument: config.pbtxt:2:"));
  EXPECT_EQ(ReasonOf("backend3"), "Internal: the model is broken");
}

TEST_F(ModelManagerTest, LoadAtStart_RefusesNamesAndDuplicates) {
  TemporaryRepository second;
  files_.Model("both", kConfig);
  second.Model("both", kConfig);
  files_.Model("bad name", kConfig);
  files_.Model("good", kConfig);
  options_.repository_paths.push_back(second.path());
  Start(ControlMode::kNone);
  EXPECT_FALSE(manager_->AllLoaded());
  EXPECT_THAT(Index(), ElementsAre("bad name:=UNAVAILABLE", "both:=UNAVAILABLE", "good:1=READY"));
  EXPECT_EQ(ReasonOf("both"), "model appears in two or more repositories");
}

TEST_F(ModelManagerTest, Control_IsRefused_OutsideOfExplicitMode) {
  files_.Model("a", kConfig);
  Start(ControlMode::kNone);
  for (const Status& status : {Load("a"), Unload("a")}) {
    EXPECT_EQ(status.code(), StatusCode::kUnavailable);
    EXPECT_EQ(status.message(),
              "explicit model load / unload is not allowed if polling is enabled");
  }
}

TEST_F(ModelManagerTest, Explicit_LoadsWhatIsListed) {
  files_.Model("a", kConfig);
  files_.Model("b", kConfig);
  Start(ControlMode::kExplicit, {"b"});
  EXPECT_TRUE(manager_->AllLoaded());
  EXPECT_THAT(Index(), ElementsAre("a:=", "b:1=READY"));
  EXPECT_THAT(Index(true), ElementsAre("b:1=READY"));
  EXPECT_TRUE(manager_->Ready(true));
  Start(ControlMode::kExplicit, {"*"});
  EXPECT_THAT(Index(true), ElementsAre("a:1=READY", "b:1=READY"));
  Start(ControlMode::kExplicit, {"none"});
  EXPECT_FALSE(manager_->AllLoaded());
  Start(ControlMode::kExplicit, {"*", "a"});
  EXPECT_EQ(start_.code(), StatusCode::kInvalidArgument);
}

TEST_F(ModelManagerTest, Explicit_LeavesOthersModelsAlone) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit);
  registry_.SetVersion("a", 7, {ModelState::kLoading, "", nullptr});  // a model store's
  EXPECT_THAT(Load("a").message(), HasSubstr("is a model's of the model store"));
  ASSERT_TRUE(Unload("a").ok());
  EXPECT_TRUE(manager_->Shutdown(kSecond));
  EXPECT_EQ(registry_.Load()->Find("a")->versions.at(7).state, ModelState::kLoading);
}

TEST_F(ModelManagerTest, Explicit_LoadUnloadLoad) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit);
  EXPECT_THAT(Index(), ElementsAre("a:="));
  ASSERT_TRUE(Load("a").ok());
  EXPECT_TRUE(Infer("a").ok());
  ASSERT_TRUE(Unload("a").ok());
  EXPECT_EQ(Find("a"), nullptr);
  EXPECT_TRUE(manager_->Ready(true));
  WaitUntilUnloaded("a");
  EXPECT_EQ(provider_.alive, 0);
  EXPECT_THAT(Index(), ElementsAre("a:1=UNAVAILABLE"));
  EXPECT_TRUE(manager_->Ready(true));
  ASSERT_TRUE(Load("a").ok());
  EXPECT_TRUE(Infer("a").ok());
  EXPECT_EQ(provider_.alive, 1);
}

TEST_F(ModelManagerTest, Load_SaysWhatIsWrong) {
  files_.Model("broken", kConfig);
  files_.Model("syntax", "backend: \"fake\"\nfoo: 1");
  provider_.fail.insert("broken");
  Start(ControlMode::kExplicit);
  EXPECT_EQ(Load("none").message(),
            "failed to load 'none', failed to poll from model repository: model not found in any "
            "model repository");
  EXPECT_EQ(Load("none").code(), StatusCode::kInternal);
  EXPECT_THAT(
      Load("syntax").message(),
      StartsWith("failed to load 'syntax', failed to poll from model repository: config.pbtxt:2:"));
  const Status broken = Load("broken");
  EXPECT_EQ(broken.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(broken.message(),
            "load failed for model 'broken': version 1 is at UNAVAILABLE state: Internal: the "
            "model is broken;\n");
  for (const std::string& name :
       {std::string(), std::string(".."), std::string("a/b"), std::string(300, 'x')}) {
    EXPECT_EQ(Load(name).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(Unload(name).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(Unload("never_loaded").ok());
  EXPECT_EQ(Load("a", {"", {{"1/model.x", ""}}}).code(), StatusCode::kInvalidArgument);
}

TEST_F(ModelManagerTest, Load_CatchesWhatABackendThrows) {
  files_.Model("throws", kConfig);
  provider_.throwing.insert("throws");
  Start(ControlMode::kExplicit);
  EXPECT_THAT(Load("throws").message(), HasSubstr("Internal: thrown by the backend"));
}

TEST_F(ModelManagerTest, Load_TriesAgain_AsOftenAsAllowed) {
  files_.Model("a", kConfig);
  options_.load_retry_count = 2;
  Start(ControlMode::kExplicit);
  provider_.fail_times = 2;
  EXPECT_TRUE(Load("a").ok());
  ASSERT_TRUE(Unload("a").ok());
  provider_.fail_times = 3;
  EXPECT_FALSE(Load("a").ok());
}

TEST_F(ModelManagerTest, Load_TakesOverride_AndGoesBackWithoutIt) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit, {"a"});
  const std::string json = R"({"backend":"fake","max_batch_size":2,
      "input":[{"name":"X","data_type":"TYPE_FP32","dims":[1]}],"output":[{"name":"Y","data_type":"TYPE_FP32","dims":[1]}]})";
  ASSERT_TRUE(Load("a", {json, {}}).ok());
  EXPECT_EQ(Find("a")->signature().batch_size_max, 2);
  EXPECT_THAT(Load("a", {R"({"backend":"fake","foo":1})", {}}).message(),
              HasSubstr("Invalid config override: foo: Cannot find field."));
  EXPECT_EQ(Find("a")->signature().batch_size_max, 2);
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Find("a")->signature().batch_size_max, 8);
}

TEST_F(ModelManagerTest, Load_OfUnchangedModel_DoesNothing) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit, {"a"});
  const engine::ModelHandle before = Find("a");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Find("a"), before);
  files_.File("a/1/new", "file");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_NE(Find("a"), before);
}

TEST_F(ModelManagerTest, Reload_ServesNewVersion_EndsOldOne) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit, {"a"});
  files_.Directory("a/2");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Find("a")->version(), 2);
  WaitUntilUnloaded("a");
  EXPECT_THAT(Index(), ElementsAre("a:1=UNAVAILABLE", "a:2=READY"));
  EXPECT_EQ(provider_.alive, 1);
  EXPECT_TRUE(manager_->Ready(true));
}

TEST_F(ModelManagerTest, Reload_KeepsOldModel_WhenItFails) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit, {"a"});
  const engine::ModelHandle before = Find("a");
  files_.File("a/config.pbtxt", "nonsense");
  EXPECT_FALSE(Load("a").ok());
  EXPECT_EQ(Find("a"), before);
  EXPECT_TRUE(manager_->Ready(true));
  files_.File("a/config.pbtxt", std::string(kConfig) + " parameters { key: \"a\" value { } }");
  provider_.fail_times = 1;
  EXPECT_FALSE(Load("a").ok());
  EXPECT_EQ(Find("a"), before);
  EXPECT_TRUE(Infer("a").ok());
  EXPECT_THAT(Index(), ElementsAre("a:1=READY"));
}

TEST_F(ModelManagerTest, Load_IsAllOrNothing) {
  files_.Model("a", std::string(kConfig) + "version_policy { all { } }");
  files_.Directory("a/2");
  Start(ControlMode::kExplicit);
  provider_.fail_version = 2;
  EXPECT_EQ(Load("a").message(),
            "load failed for model 'a': version 2 is at UNAVAILABLE state: Internal: the model is "
            "broken;\n");
  EXPECT_THAT(Index(), ElementsAre("a:1=UNAVAILABLE", "a:2=UNAVAILABLE"));
  EXPECT_EQ(ReasonOf("a"), "unloaded");
  EXPECT_EQ(provider_.alive, 0);
  EXPECT_FALSE(manager_->Ready(true));
  provider_.fail_version = 0;
  ASSERT_TRUE(Load("a").ok());
  EXPECT_THAT(Index(), ElementsAre("a:1=READY", "a:2=READY"));
}

TEST_F(ModelManagerTest, Backend_CompletesTheConfiguration) {
  files_.Model("a", "backend: \"fake\"");
  provider_.proposal = R"({"max_batch_size":4,"dynamic_batching":{},
      "input":[{"name":"X","data_type":"TYPE_FP32","dims":[1]}],"output":[{"name":"Y","data_type":"TYPE_FP32","dims":[1]}]})";
  Start(ControlMode::kNone);
  ASSERT_TRUE(manager_->AllLoaded()) << ReasonOf("a");
  EXPECT_EQ(Find("a")->signature().batch_size_max, 4);
  EXPECT_THAT(Find("a")->options().config_json, HasSubstr("\"preferred_batch_size\":[4]"));
  EXPECT_EQ(provider_.last_final_config(), Find("a")->options().config_json);
  EXPECT_TRUE(Infer("a").ok());
}

TEST_F(ModelManagerTest, Backend_MayNotProposeNonsense) {
  files_.Model("a", "backend: \"fake\"");
  provider_.proposal = R"({"input":[{"name":"X","data_type":"TYPE_FP32","dims":[0]}]})";
  Start(ControlMode::kNone);
  EXPECT_THAT(ReasonOf("a"), HasSubstr("dimension must be integer >= 1"));
  provider_.proposal = R"({"sequence_batching":{"state":[{"input_name":"a",
      "output_name":"b","data_type":"TYPE_FP32","dims":[1],"use_growable_memory":true}]}})";
  Start(ControlMode::kNone);
  EXPECT_THAT(ReasonOf("a"),
              HasSubstr("field 'sequence_batching.state.use_growable_memory' is not supported"));
}

TEST_F(ModelManagerTest, Unload_LetsRequestsFinish) {
  files_.Model("a", kConfig);
  engine::testing::Latch hold;
  provider_.execute = [&hold](engine::Batch batch) {
    hold.Wait();
    engine::testing::AnswerAll(std::move(batch));
  };
  Start(ControlMode::kExplicit, {"a"});
  auto answer = std::make_shared<Answer>();
  {
    const engine::ModelHandle model = Find("a");
    model->Submit(engine::testing::SmallRequest(model, answer));
  }
  ASSERT_TRUE(Unload("a").ok());
  EXPECT_THAT(Index(), ElementsAre("a:1=UNLOADING"));
  EXPECT_TRUE(manager_->Ready(true));
  hold.Open();
  EXPECT_TRUE(answer->Wait().ok());
  WaitUntilUnloaded("a");
}

TEST_F(ModelManagerTest, Load_WhileTheOldOneDrains_KeepsTheNewState) {
  files_.Model("a", kConfig);
  engine::testing::Latch hold;
  std::atomic<bool> first{true};
  provider_.execute = [&](engine::Batch batch) {
    if (first.exchange(false)) {
      hold.Wait();
    }
    engine::testing::AnswerAll(std::move(batch));
  };
  Start(ControlMode::kExplicit, {"a"});
  auto answer = std::make_shared<Answer>();
  {
    const engine::ModelHandle model = Find("a");
    model->Submit(engine::testing::SmallRequest(model, answer));
  }
  while (first) {
    std::this_thread::yield();
  }
  ASSERT_TRUE(Unload("a").ok());
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(provider_.alive, 2);
  EXPECT_TRUE(Infer("a").ok());
  hold.Open();
  EXPECT_TRUE(answer->Wait().ok());
  while (provider_.alive != 1) {
    std::this_thread::yield();
  }
  EXPECT_THAT(Index(), ElementsAre("a:1=READY"));
}

TEST_F(ModelManagerTest, Reload_LosesNoRequest_UnderLoad) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit, {"a"});
  std::atomic<bool> stop{false};
  std::atomic<int> bad{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        const Status status = Infer("a");
        bad += status.ok() ? 0 : 1;
      }
    });
  }
  for (int i = 0; i < 30; ++i) {
    files_.File("a/1/data", std::string(static_cast<std::size_t>(i), 'x'));
    provider_.fail_times = i % 3 == 2 ? 1 : 0;
    EXPECT_EQ(Load("a").ok(), i % 3 != 2);
  }
  stop = true;
  for (auto& client : clients) {
    client.join();
  }
  EXPECT_EQ(bad, 0);
  while (provider_.alive != 1) {
    std::this_thread::yield();
  }
}

TEST_F(ModelManagerTest, LoadsAndUnloads_FromManyThreads_EndInOrder) {
  for (const char* name : {"a", "b", "c"}) {
    files_.Model(name, kConfig);
  }
  Start(ControlMode::kExplicit);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 30; ++i) {
        const std::string name(1, static_cast<char>('a' + (t + i) % 3));
        EXPECT_TRUE(((t + i) % 2 == 0 ? Load(name) : Unload(name)).ok());
        (void)manager_->Index(false);
        (void)manager_->Ready(true);
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_TRUE(Load(name).ok());
    EXPECT_TRUE(Infer(name).ok());
  }
  while (provider_.alive != 3) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(manager_->Shutdown(30 * kSecond));
  EXPECT_EQ(provider_.alive, 0);
}

TEST_F(ModelManagerTest, Shutdown_DrainsAndRefuses) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit, {"a"});
  EXPECT_TRUE(manager_->Shutdown(30 * kSecond));
  EXPECT_EQ(provider_.alive, 0);
  EXPECT_FALSE(manager_->Ready(false));
  EXPECT_EQ(Load("a").code(), StatusCode::kUnavailable);
  EXPECT_EQ(Unload("a").code(), StatusCode::kUnavailable);
  EXPECT_EQ(Find("a"), nullptr);
}

TEST_F(ModelManagerTest, Shutdown_SaysWhenTimeRanOut) {
  files_.Model("a", kConfig);
  engine::testing::Latch hold;
  provider_.execute = [&hold](engine::Batch batch) {
    hold.Wait();
    engine::testing::AnswerAll(std::move(batch));
  };
  Start(ControlMode::kNone);
  auto answer = std::make_shared<Answer>();
  {
    const engine::ModelHandle model = Find("a");
    model->Submit(engine::testing::SmallRequest(model, answer));
  }
  EXPECT_FALSE(manager_->Shutdown(0));
  hold.Open();
  (void)answer->Wait();
  manager_.reset();
  // The request itself may have been the last to hold the model; its thread ends by itself then.
  while (provider_.alive != 0) {
    std::this_thread::yield();
  }
}

TEST_F(ModelManagerTest, LoadAtStart_LoadsInParallel) {
  constexpr int kThreads = 3;
  options_.load_thread_count = kThreads;
  std::latch all(kThreads);
  provider_.on_load = [&all] { all.arrive_and_wait(); };
  for (int i = 0; i < kThreads; ++i) {
    files_.Model("m" + std::to_string(i), kConfig);
  }
  Start(ControlMode::kNone);
  EXPECT_TRUE(manager_->AllLoaded());
}

}  // namespace
}  // namespace headrace::repository
