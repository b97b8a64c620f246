// Poll mode, files in load requests, and ensembles.
#include <gmock/gmock.h>

#include "repository/layout.h"
#include "repository/testing/manager_fixture.h"

namespace headrace::repository {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class PollTest : public ModelManagerTest {
 protected:
  PollTest() { options_.poll_interval = 0; }
  void StartPolling() { Start(ControlMode::kPoll); }
  void Poll(bool settled = false) { EXPECT_TRUE(manager_->PollOnce(settled).ok()); }
};

TEST_F(PollTest, FollowsAdditionsModificationsAndDeletions) {
  files_.Model("a", kConfig);
  StartPolling();
  EXPECT_THAT(Index(), ElementsAre("a:1=READY"));
  const auto first = Find("a");
  files_.Model("b", kConfig);
  files_.File("a/1/model.bin", "x");
  Poll();
  EXPECT_THAT(Index(), ElementsAre("a:1=READY")) << "not before a second look";
  Poll();
  EXPECT_THAT(Index(), ElementsAre("a:1=READY", "b:1=READY"));
  EXPECT_NE(Find("a"), first);
  std::filesystem::remove_all(files_.path("a"));
  Poll(true);
  WaitUntilUnloaded("a");
  EXPECT_THAT(Index(true), ElementsAre("b:1=READY"));
  EXPECT_TRUE(manager_->Ready(true));
}

TEST_F(PollTest, WaitsForADirectoryThatIsBeingCopied) {
  StartPolling();
  files_.File("a/config.pbtxt", kConfig);
  Poll();
  files_.File("a/1/model.bin", "half");
  Poll();
  files_.File("a/1/model.bin", "half and more");
  Poll();
  EXPECT_THAT(provider_.TakeLoaded(), IsEmpty());
  Poll();
  EXPECT_THAT(Index(), ElementsAre("a:1=READY"));
  EXPECT_THAT(provider_.TakeLoaded(), ElementsAre("a"));
}

TEST_F(PollTest, TriesAFailedModelAgain_WhenItChanges) {
  files_.Model("a", "nonsense {");
  StartPolling();
  EXPECT_FALSE(manager_->AllLoaded());
  EXPECT_THAT(ReasonOf("a"), HasSubstr("config.pbtxt:1:"));
  Poll(true);
  files_.File("a/config.pbtxt", kConfig);
  Poll(true);
  EXPECT_THAT(Index(), ElementsAre("a:1=READY"));
  files_.File("a/config.pbtxt", "nonsense {");
  Poll(true);
  EXPECT_THAT(Index(), ElementsAre("a:1=READY")) << "the old one goes on";
  EXPECT_TRUE(Infer("a").ok());
}

TEST_F(PollTest, KeepsServing_WhenTheRepositoryGoes) {
  TemporaryRepository other;
  other.Model("b", kConfig);
  files_.Model("repository/a", kConfig);
  options_.repository_paths = {files_.path("repository"), other.path()};
  StartPolling();
  std::filesystem::rename(files_.path("repository"), files_.path("moved"));
  other.Model("c", kConfig);
  Poll(true);
  EXPECT_THAT(Index(), ElementsAre("a:1=READY", "b:1=READY", "c:1=READY"));
  files_.File("repository", "a file in its place");
  Poll(true);
  EXPECT_THAT(Index(true), SizeIs(3));
  EXPECT_TRUE(Infer("a").ok());
  std::filesystem::remove(files_.path("repository"));
  std::filesystem::rename(files_.path("moved"), files_.path("repository"));
  const auto before = Find("a");
  Poll(true);
  EXPECT_EQ(Find("a"), before);
}

TEST_F(PollTest, ASecondCopyOfAServingModel_IsAFaultThatEndsNothing) {
  TemporaryRepository other;
  files_.Model("a", kConfig);
  options_.repository_paths = {files_.path(), other.path()};
  StartPolling();
  other.Model("a", kConfig);
  Poll(true);
  EXPECT_THAT(Index(), ElementsAre("a:1=READY"));
  std::filesystem::remove_all(other.path("a"));
  Poll(true);
  EXPECT_THAT(Index(), ElementsAre("a:1=READY"));
}

TEST_F(PollTest, RefusesTheCalls_AndTheOtherModesRefusePolls) {
  files_.Model("a", kConfig);
  StartPolling();
  EXPECT_EQ(Load("a").message(),
            "explicit model load / unload is not allowed if polling is enabled");
  EXPECT_EQ(Unload("a").code(), StatusCode::kUnavailable);
  Start(ControlMode::kExplicit);
  EXPECT_EQ(manager_->PollOnce(true).ToString(), "UNAVAILABLE: polling is disabled");
}

TEST_F(PollTest, ItsThread_FindsModels_AndEndsWithTheManager) {
  options_.poll_interval = kMillisecond;
  StartPolling();
  files_.Model("a", kConfig);
  while (Find("a") == nullptr) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(manager_->Shutdown(30 * kSecond));
  EXPECT_TRUE(manager_->PollOnce(true).ok()) << "it does nothing any more";
  EXPECT_EQ(provider_.alive, 0);
}

class OverrideTest : public ModelManagerTest {
 protected:
  OverrideTest() { options_.temporary_directory = temporary_.path(); }
  LoadOverride WithFiles(std::map<std::string, std::string> files, int batch_size = 2) {
    return {R"({"backend":"fake","max_batch_size":)" + std::to_string(batch_size) + R"(,
        "input":[{"name":"X","data_type":"TYPE_FP32","dims":[1]}],
        "output":[{"name":"Y","data_type":"TYPE_FP32","dims":[1]}]})",
            std::move(files)};
  }
  // Directories that exist for load requests.
  std::size_t DirectoryCount() {
    std::size_t count = 0;
    for (const std::string& root : ListEntries(temporary_.path())) {
      count += ListEntries(temporary_.path(root)).size();
    }
    return count;
  }

  TemporaryRepository temporary_;
};

TEST_F(OverrideTest, MakesAModelThatNoRepositoryHas) {
  Start(ControlMode::kExplicit);
  ASSERT_TRUE(Load("new", WithFiles({{"1/model.bin", "x"}, {"4/model.bin", "y"}})).ok());
  EXPECT_EQ(Find("new")->version(), 4);
  EXPECT_TRUE(Infer("new").ok());
  EXPECT_EQ(DirectoryCount(), 1U);
  ASSERT_TRUE(Unload("new").ok());
  WaitUntilUnloaded("new");
  while (DirectoryCount() != 0) {
    std::this_thread::yield();
  }
  EXPECT_THAT(Load("new").message(), HasSubstr("failed to poll from model repository"));
}

TEST_F(OverrideTest, StandsForTheRepositorysModel_UntilALoadWithoutFiles) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit, {"a"});
  ASSERT_TRUE(Load("a", WithFiles({{"7/model.bin", "x"}})).ok());
  EXPECT_EQ(Find("a")->version(), 7);
  EXPECT_EQ(Find("a")->signature().batch_size_max, 2);
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Find("a")->version(), 1);
  EXPECT_EQ(Find("a")->signature().batch_size_max, 8);
  while (DirectoryCount() != 0) {
    std::this_thread::yield();
  }
}

TEST_F(OverrideTest, LeavesNothing_WhenTheLoadFails) {
  files_.Model("a", kConfig);
  Start(ControlMode::kExplicit, {"a"});
  const auto before = Find("a");
  provider_.fail_times = 1;
  EXPECT_FALSE(Load("a", WithFiles({{"2/model.bin", "x"}})).ok());
  EXPECT_FALSE(Load("a", WithFiles({{"no_version/model.bin", "x"}})).ok());
  EXPECT_FALSE(Load("a", {"nonsense", {{"1/model.bin", "x"}}}).ok());
  EXPECT_EQ(DirectoryCount(), 0U);
  EXPECT_EQ(Find("a"), before);
}

TEST_F(OverrideTest, RefusesPathsAndCode) {
  Start(ControlMode::kExplicit);
  for (const char* path : {"../x", "/etc/x", "1/../../x"}) {
    EXPECT_EQ(Load("a", WithFiles({{path, "x"}})).code(), StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(Load("a", WithFiles({{"1/model.py", "x"}})).code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Load("a", {R"({"backend":"python"})", {{"1/model.bin", "x"}}}).code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(Load("a", {"", {{"1/model.bin", "x"}}}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(DirectoryCount(), 0U);
  EXPECT_THAT(Index(), IsEmpty());
  options_.allow_code_override = true;
  Start(ControlMode::kExplicit);
  EXPECT_TRUE(Load("a", WithFiles({{"1/model.py", "x"}})).ok());
}

TEST_F(OverrideTest, LimitsTheBytes) {
  options_.override_byte_size_max = 10;
  Start(ControlMode::kExplicit);
  EXPECT_EQ(Load("a", WithFiles({{"1/model.bin", std::string(11, 'x')}})).code(),
            StatusCode::kResourceExhausted);
  EXPECT_TRUE(Load("a", WithFiles({{"1/model.bin", std::string(10, 'x')}})).ok());
}

// Answers with Y, the input's memory.
void Echo(engine::Batch batch) {
  for (auto& request : batch.requests) {
    Tensor tensor = request->inputs[0].tensor;
    request->Send({.outputs = {{"Y", std::move(tensor)}}, .parameters = {}});
    request->Finish(OkStatus());
  }
}

class EnsembleTest : public ModelManagerTest {
 protected:
  EnsembleTest() { provider_.execute = &Echo; }
  // `steps` run one after the other from X to Y.
  void Ensemble(const std::string& name, const std::vector<std::string>& steps,
                const std::string& version = "-1") {
    std::string text = R"(platform: "ensemble" max_batch_size: 8
        input { name: "X" data_type: TYPE_FP32 dims: 1 }
        output { name: "Y" data_type: TYPE_FP32 dims: 1 } ensemble_scheduling {)";
    for (std::size_t i = 0; i < steps.size(); ++i) {
      text += " step { model_name: \"" + steps[i] + "\" model_version: " + version +
              " input_map { key: \"X\" value: \"" + (i == 0 ? "X" : "t" + std::to_string(i)) +
              "\" } output_map { key: \"Y\" value: \"" +
              (i + 1 == steps.size() ? "Y" : "t" + std::to_string(i + 1)) + "\" } }";
    }
    files_.Model(name, text + " }");
  }
  bool IsReady(const std::string& name) { return Find(name) != nullptr; }
  // Until the drain in the background is over.
  void WaitForReason(const std::string& name, const std::string& reason) {
    while (ReasonOf(name) != reason) {
      std::this_thread::yield();
    }
  }
};

TEST_F(EnsembleTest, LoadsWhatItIsMadeOf_First) {
  files_.Model("a", kConfig);
  files_.Model("b", kConfig);
  files_.Model("c", kConfig);
  Ensemble("inner", {"a", "b"});
  Ensemble("outer", {"inner", "c"});
  Start(ControlMode::kExplicit);
  ASSERT_TRUE(Load("outer").ok());
  EXPECT_THAT(provider_.TakeLoaded(), UnorderedElementsAre("a", "b", "c"));
  EXPECT_TRUE(IsReady("inner"));
  EXPECT_TRUE(Infer("outer").ok());
  ASSERT_TRUE(Load("outer").ok());
  EXPECT_THAT(provider_.TakeLoaded(), IsEmpty()) << "nothing has changed";
}

TEST_F(EnsembleTest, RefusesPartsThatDoNotFit) {
  files_.Model("a", R"(backend: "fake" max_batch_size: 8
      input { name: "X" data_type: TYPE_INT32 dims: 1 }
      output { name: "Y" data_type: TYPE_FP32 dims: 1 })");
  Ensemble("e", {"a"});
  Start(ControlMode::kExplicit);
  EXPECT_THAT(Load("e").message(),
              HasSubstr("in ensemble e, ensemble tensor X: inconsistent data type: TYPE_INT32 is "
                        "inferred from model a while TYPE_FP32 is inferred from model e"));
  EXPECT_FALSE(IsReady("e"));
}

TEST_F(EnsembleTest, LoadsTheListedEnsemblesAtStart_AndAllOfThem) {
  files_.Model("z", kConfig);
  Ensemble("e", {"z"});
  Start(ControlMode::kExplicit, {"e"});
  EXPECT_TRUE(manager_->AllLoaded());
  Start(ControlMode::kNone);
  EXPECT_TRUE(manager_->AllLoaded());
  EXPECT_TRUE(manager_->Ready(true));
  EXPECT_THAT(Index(), ElementsAre("e:1=READY", "z:1=READY"));
}

TEST_F(EnsembleTest, ABrokenPart_IsTriedOnce_AndNamed) {
  files_.Model("z", kConfig);
  Ensemble("e", {"z"});
  provider_.fail.insert("z");
  Start(ControlMode::kNone);
  EXPECT_FALSE(manager_->AllLoaded());
  EXPECT_THAT(provider_.TakeLoaded(), ElementsAre("z"));
  EXPECT_THAT(ReasonOf("e"), HasSubstr("ensemble 'e' depends on 'z' which has no loaded version."));
}

TEST_F(EnsembleTest, RefusesCircles_Depth_AndPartsThatNobodyHas) {
  Ensemble("self", {"self"});
  Ensemble("e", {"f"});
  Ensemble("f", {"e"});
  Ensemble("lost", {"gone", "nowhere"});
  files_.Model("leaf", kConfig);
  Ensemble("d0", {"leaf"});
  for (int i = 1; i < 40; ++i) {
    Ensemble("d" + std::to_string(i), {"d" + std::to_string(i - 1)});
  }
  Start(ControlMode::kExplicit);
  EXPECT_THAT(Load("self").message(),
              HasSubstr("circular dependency between ensembles: self -> ... -> self -> self"));
  EXPECT_THAT(Load("e").message(),
              HasSubstr("circular dependency between ensembles: e -> ... -> f -> e"));
  EXPECT_THAT(Load("lost").message(),
              HasSubstr("ensemble lost contains models that are not available or ambiguous: gone, "
                        "nowhere"));
  EXPECT_THAT(Load("d39").message(), HasSubstr("nested more than 32 levels"));
  EXPECT_THAT(provider_.TakeLoaded(), IsEmpty());
  EXPECT_TRUE(Load("d31").ok());
}

TEST_F(EnsembleTest, CirclesEnd_WhenTheyAreLoadedAtTheSameTime) {
  Ensemble("e", {"f"});
  Ensemble("f", {"e"});
  Ensemble("g", {"e", "f"});
  options_.load_thread_count = 1;
  Start(ControlMode::kNone);
  EXPECT_FALSE(manager_->AllLoaded());
}

TEST_F(EnsembleTest, FollowsItsParts) {
  files_.Model("a", kConfig);
  Ensemble("e", {"a"});
  Ensemble("f", {"e"});
  Start(ControlMode::kExplicit, {"f"});
  ASSERT_TRUE(IsReady("f"));
  ASSERT_TRUE(Unload("a").ok());
  EXPECT_FALSE(IsReady("e"));
  EXPECT_FALSE(IsReady("f"));
  WaitForReason("e", "ensemble 'e' depends on 'a' which has no loaded version.");
  WaitForReason("f", "ensemble 'f' depends on 'e' which has no loaded version.");
  EXPECT_FALSE(manager_->Ready(true));
  ASSERT_TRUE(Load("a").ok());
  EXPECT_TRUE(IsReady("e"));
  EXPECT_TRUE(IsReady("f"));
  EXPECT_TRUE(manager_->Ready(true));
}

TEST_F(EnsembleTest, AReloadOfAPart_ReloadsNothingElse) {
  files_.Model("a", kConfig);
  Ensemble("e", {"a"});
  Start(ControlMode::kExplicit, {"e"});
  provider_.TakeLoaded();
  const auto ensemble = Find("e");
  files_.File("a/1/model.bin", "new");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_THAT(provider_.TakeLoaded(), ElementsAre("a"));
  EXPECT_EQ(Find("e"), ensemble);
}

TEST_F(EnsembleTest, NeedsTheVersionThatItNames) {
  files_.Model("a", std::string(kConfig) + "version_policy { latest { num_versions: 1 } }");
  Ensemble("e", {"a"}, "1");
  Start(ControlMode::kExplicit, {"e"});
  ASSERT_TRUE(IsReady("e"));
  files_.Directory("a/2");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_FALSE(IsReady("e"));
  WaitForReason("e", "ensemble 'e' depends on 'a' whose required version 1 is not loaded.");
  EXPECT_TRUE(IsReady("a"));
}

TEST_F(EnsembleTest, UnloadDependents_TakesWhatNoOtherNeeds) {
  files_.Model("a", kConfig);
  files_.Model("shared", kConfig);
  Ensemble("e", {"a", "shared"});
  Ensemble("f", {"shared"});
  Start(ControlMode::kExplicit, {"e", "f"});
  ASSERT_TRUE(Unload("e", true).ok());
  EXPECT_FALSE(IsReady("e"));
  EXPECT_FALSE(IsReady("a"));
  EXPECT_TRUE(IsReady("shared"));
  EXPECT_TRUE(IsReady("f"));
  ASSERT_TRUE(Unload("f").ok());
  EXPECT_TRUE(IsReady("shared"));
  ASSERT_TRUE(Load("a").ok());
  EXPECT_FALSE(IsReady("e")) << "what was unloaded stays away";
}

TEST_F(EnsembleTest, AnUnload_WhilePartsLoad_WinsOverTheLoad) {
  files_.Model("a", kConfig);
  Ensemble("e", {"a"});
  engine::testing::Latch loading, go;
  provider_.on_load = [&] {
    loading.Open();
    go.Wait();
  };
  Start(ControlMode::kExplicit);
  std::promise<Status> result;
  manager_->LoadAsync("e", {}, [&](Status s) { result.set_value(std::move(s)); });
  loading.Wait();
  ASSERT_TRUE(Unload("e").ok());
  go.Open();
  EXPECT_THAT(result.get_future().get().message(), HasSubstr("was unloaded while"));
  EXPECT_FALSE(IsReady("e"));
}

TEST_F(EnsembleTest, Polling_BringsItBackWithItsPart) {
  options_.poll_interval = 0;
  files_.Model("a", kConfig);
  Ensemble("e", {"a"});
  Start(ControlMode::kPoll);
  ASSERT_TRUE(IsReady("e"));
  std::filesystem::rename(files_.path("a"), files_.path(".a"));
  ASSERT_TRUE(manager_->PollOnce(true).ok());
  EXPECT_FALSE(IsReady("e"));
  WaitForReason("e", "ensemble 'e' depends on 'a' which has no loaded version.");
  std::filesystem::rename(files_.path(".a"), files_.path("a"));
  ASSERT_TRUE(manager_->PollOnce(true).ok());
  EXPECT_TRUE(IsReady("e"));
}

TEST_F(EnsembleTest, LoadsAndUnloads_FromManyThreads_EndInOrder) {
  files_.Model("a", kConfig);
  files_.Model("b", kConfig);
  Ensemble("e", {"a", "b"});
  Ensemble("f", {"e", "b"});
  Start(ControlMode::kExplicit);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const std::vector<std::string> names = {"a", "b", "e", "f"};
      for (int i = 0; i < 30; ++i) {
        const std::string& name = names[static_cast<std::size_t>(t + i) % names.size()];
        if ((t + i) % 3 != 0) {
          (void)Load(name);
        } else {
          EXPECT_TRUE(Unload(name, i % 2 == 0).ok());
        }
      }
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(Load("f").ok());
  EXPECT_TRUE(Infer("f").ok());
  EXPECT_TRUE(manager_->Shutdown(30 * kSecond));
  EXPECT_EQ(provider_.alive, 0);
}

}  // namespace
}  // namespace headrace::repository
