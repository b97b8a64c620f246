#include "store/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <latch>

#include "store/testing/store_fixture.h"

namespace headrace::store {
namespace {

using engine::testing::Answer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class ModelStoreTest : public StoreFixture {};

TEST_F(ModelStoreTest, Register_WithoutWorkers_ServesNothingYet) {
  Put("m.mar", Archive("m"));
  Start();
  const StoreReply reply = Register("m.mar");
  ASSERT_TRUE(reply.error.ok()) << reply.error.message;
  EXPECT_EQ(reply.progress, Progress::kDone);
  EXPECT_EQ(reply.text,
            "Model \"m\" Version: 1.0 registered with 0 initial workers. Use scale workers API to "
            "add workers for the model.");
  const auto described = store_->Describe("m", "");
  ASSERT_THAT(described.models, SizeIs(1));
  const ModelFacts& facts = described.models.front();
  EXPECT_EQ(facts.version, "1.0");
  EXPECT_EQ(facts.url, "m.mar");
  EXPECT_EQ(facts.runtime, "python");
  EXPECT_EQ(facts.batch_size, 1);
  EXPECT_EQ(facts.batch_delay_ms, 100);
  EXPECT_EQ(facts.queue_capacity, 100);
  EXPECT_TRUE(facts.is_default);
  EXPECT_THAT(facts.workers, IsEmpty());
  EXPECT_TRUE(store_->Healthy());
  EXPECT_EQ(Find("m")->options().version_name, "1.0");
  EXPECT_EQ(Find("m")->version(), 1);
  EXPECT_EQ(Ask("m")->Wait().code(), StatusCode::kUnavailable);
}

TEST_F(ModelStoreTest, Register_WithWorkers_Serves) {
  Put("m.mar", Archive("m"));
  Start();
  const StoreReply reply = Register("m.mar", 2);
  EXPECT_EQ(reply.text, "Model \"m\" Version: 1.0 registered with 2 initial workers");
  const auto described = store_->Describe("m", "1.0");
  ASSERT_THAT(described.models, SizeIs(1));
  ASSERT_THAT(described.models.front().workers, SizeIs(2));
  EXPECT_EQ(described.models.front().workers[0].id, "9000");
  EXPECT_EQ(described.models.front().workers[1].id, "9001");
  EXPECT_TRUE(described.models.front().workers[1].ready);
  EXPECT_TRUE(Ask("m")->Wait().ok());
  EXPECT_EQ(workers_.alive, 2);
}

TEST_F(ModelStoreTest, Register_Asynchronously_AnswersBeforeTheWorkersAreThere) {
  Put("m.mar", Archive("m"));
  engine::testing::Latch go_on;
  workers_.on_start = [&] { go_on.Wait(); };
  Start();
  Registration registration{.url = "m.mar"};
  registration.settings.worker_count_min = 1;
  registration.synchronous = false;
  const StoreReply reply = Register(std::move(registration));
  EXPECT_EQ(reply.progress, Progress::kAccepted);
  EXPECT_EQ(reply.text, "Processing worker updates...");
  EXPECT_THAT(store_->Describe("m", "").models, SizeIs(1));
  go_on.Open();
  WaitForChanges(1);
  EXPECT_THAT(store_->Describe("m", "").models.front().workers, SizeIs(1));
}

TEST_F(ModelStoreTest, Request_WaitsForWorkersThatStart) {
  Put("m.mar", Archive("m"));
  engine::testing::Latch started, go_on;
  workers_.on_start = [&] {
    started.Open();
    go_on.Wait();
  };
  Start();
  (void)Register("m.mar");
  std::promise<StoreReply> scaled;
  store_->Scale({.name = "m", .version = "", .synchronous = true},
                [&](StoreReply reply) { scaled.set_value(std::move(reply)); });
  started.Wait();
  EXPECT_TRUE(store_->Healthy());  // it has what it is to have, soon
  const auto answer = Ask("m");
  EXPECT_EQ(answer->ends(), 0);
  go_on.Open();
  EXPECT_TRUE(answer->Wait().ok());
  EXPECT_EQ(scaled.get_future().get().text, "Workers scaled to 1 for model: m");
}

TEST_F(ModelStoreTest, Register_WhoseWorkersFail_LeavesNothing) {
  Put("m.mar", Archive("m"));
  workers_.fail = true;
  Start();
  const StoreReply reply = Register("m.mar", 1);
  EXPECT_EQ(reply.error.fault, StoreFault::kInternal);
  EXPECT_THAT(reply.error.message, StartsWith("Failed to start workers for model m version: 1.0"));
  EXPECT_THAT(reply.error.message, HasSubstr("no module named 'nothing'"));
  EXPECT_EQ(store_->Describe("m", "").error.message, "Model not found: m");
  EXPECT_EQ(registry_.Load()->Find("m"), nullptr);
  EXPECT_THAT(InTemporary(), IsEmpty());
  workers_.fail = false;
  EXPECT_TRUE(Register("m.mar", 1).error.ok());
}

TEST_F(ModelStoreTest, Scale_WhoseWorkersFail_KeepsTheModelAndSaysWhy) {
  Put("m.mar", Archive("m"));
  Start();
  (void)Register("m.mar", 1);
  workers_.fail = true;
  const StoreReply reply = Scale({.name = "m",
                                  .version = "",
                                  .worker_count_min = 3,
                                  .worker_count_max = 3,
                                  .synchronous = true});
  EXPECT_EQ(reply.error.fault, StoreFault::kInternal);
  EXPECT_EQ(reply.error.message, "Failed to start workers for model m version: 1.0");
  const ModelFacts facts = store_->Describe("m", "").models.front();
  EXPECT_EQ(facts.load_error, "no module named 'nothing'");
  EXPECT_THAT(facts.workers, SizeIs(1));
  EXPECT_FALSE(store_->Healthy());
  EXPECT_TRUE(Ask("m")->Wait().ok());
}

TEST_F(ModelStoreTest, Scale_GrowsToTheLeastAndShrinksToTheMost) {
  Put("m.mar", Archive("m"));
  Start();
  (void)Register("m.mar");
  const auto scale = [&](std::int64_t min, std::int64_t max) {
    const StoreReply reply = Scale({.name = "m",
                                    .version = "1.0",
                                    .worker_count_min = min,
                                    .worker_count_max = max,
                                    .synchronous = true});
    return reply.error.ok() ? reply.text : reply.error.message;
  };
  EXPECT_EQ(scale(3, 5), "Workers scaled to 3 for model: m, version: 1.0");
  EXPECT_EQ(Find("m")->instance_count(), 3u);
  EXPECT_EQ(scale(1, 4), "Workers scaled to 1 for model: m, version: 1.0");
  EXPECT_EQ(Find("m")->instance_count(), 3u);
  EXPECT_EQ(scale(1, 2), "Workers scaled to 1 for model: m, version: 1.0");
  EXPECT_EQ(Find("m")->instance_count(), 2u);
  EXPECT_EQ(scale(0, 0), "Workers scaled to 0 for model: m, version: 1.0");
  EXPECT_EQ(Find("m")->instance_count(), 0u);
  EXPECT_EQ(scale(2, 1), "max_worker cannot be less than min_worker.");
  EXPECT_EQ(scale(-1, 1), "min_worker cannot be less than 0.");
  EXPECT_THAT(scale(1, 1'000'000), HasSubstr("1024 workers at most"));
  EXPECT_EQ(Scale({.name = "n", .version = ""}).error.message, "Model not found: n");
  EXPECT_EQ(Scale({.name = "m", .version = "7"}).error.message,
            "Model version: 7 does not exist for model: m");
}

TEST_F(ModelStoreTest, Scale_Down_LetsWorkersFinishTheirBatch) {
  Put("m.mar", Archive("m"));
  engine::testing::Latch executing, go_on;
  std::atomic<int> batches{0};
  workers_.execute = [&](engine::Batch batch) {
    if (batches.fetch_add(1) < 2) {
      if (batches == 2) {
        executing.Open();
      }
      go_on.Wait();
    }
    engine::testing::AnswerAll(std::move(batch));
  };
  Start();
  (void)Register("m.mar", 2);
  std::vector<std::shared_ptr<Answer>> answers = {Ask("m"), Ask("m")};
  executing.Wait();  // both workers have one
  answers.push_back(Ask("m"));
  const StoreReply reply = Scale({.name = "m", .version = "", .synchronous = true});
  EXPECT_TRUE(reply.error.ok());
  EXPECT_EQ(Find("m")->instance_count(), 1u);
  go_on.Open();
  for (const auto& answer : answers) {
    EXPECT_TRUE(answer->Wait().ok());
  }
}

TEST_F(ModelStoreTest, Resize_StaysBetweenTheTwoCounts) {
  Put("m.mar", Archive("m"));
  Start();
  (void)Register("m.mar");
  (void)Scale({.name = "m",
               .version = "",
               .worker_count_min = 1,
               .worker_count_max = 3,
               .synchronous = true});
  const auto resize = [&](std::int64_t count) {
    return Wait([&](StoreDone done) { store_->Resize("m", "", count, std::move(done)); }).error;
  };
  EXPECT_TRUE(resize(3).ok());
  const ModelFacts facts = store_->Describe("m", "").models.front();
  EXPECT_THAT(facts.workers, SizeIs(3));
  EXPECT_EQ(facts.worker_count_min, 1);
  EXPECT_EQ(resize(4).fault, StoreFault::kBadRequest);
  EXPECT_EQ(resize(0).fault, StoreFault::kBadRequest);
}

TEST_F(ModelStoreTest, Versions_HaveOneDefault) {
  Put("one.mar", Archive("m", "1.0"));
  Put("two.mar", Archive("m", "2.0"));
  Put("beta.mar", Archive("m", "2.5-beta"));
  Put("whole.mar", Archive("m", "1"));
  Start();
  for (const char* file : {"one.mar", "two.mar", "beta.mar", "whole.mar"}) {
    EXPECT_TRUE(Register(file, 1).error.ok()) << file;
  }
  EXPECT_EQ(Find("m")->version(), 1);
  auto all = store_->Describe("m", "all").models;
  ASSERT_THAT(all, SizeIs(4));
  EXPECT_EQ(all[1].version, "2.0");
  EXPECT_EQ(all[1].model->version(), 2);
  EXPECT_EQ(all[2].model->version(), 1'000'001);
  EXPECT_EQ(all[3].model->version(), 1'000'002);  // 1 is the number of "1.0"
  all.clear();
  EXPECT_EQ(Register("one.mar").error.message,
            "Model version 1.0 is already registered for model m");
  EXPECT_EQ(Register("one.mar").error.fault, StoreFault::kConflict);
  const StoreReply refused = Unregister("m");
  EXPECT_EQ(refused.error.fault, StoreFault::kVersionInUse);
  EXPECT_EQ(refused.error.message, "Cannot remove default version for model m");
  EXPECT_EQ(SetDefault("m", "2.5-beta").text,
            "Default version successfully updated for model \"m\" to \"2.5-beta\"");
  EXPECT_EQ(Find("m")->options().version_name, "2.5-beta");
  EXPECT_EQ(SetDefault("m", "9").error.fault, StoreFault::kVersionNotFound);
  EXPECT_EQ(SetDefault("n", "9").error.fault, StoreFault::kModelNotFound);
  for (const char* version : {"1.0", "2.0", "1", "2.5-beta"}) {
    EXPECT_EQ(Unregister("m", version).text, "Model \"m\" unregistered") << version;
  }
  EXPECT_EQ(registry_.Load()->Find("m"), nullptr);
  EXPECT_EQ(workers_.alive, 0);
  EXPECT_THAT(InTemporary(), IsEmpty());
  EXPECT_EQ(Unregister("m").error.fault, StoreFault::kModelNotFound);
}

TEST_F(ModelStoreTest, Unregister_WaitsForWhatIsInFlight) {
  Put("m.mar", Archive("m"));
  engine::testing::Latch executing, go_on;
  workers_.execute = [&](engine::Batch batch) {
    executing.Open();
    go_on.Wait();
    engine::testing::AnswerAll(std::move(batch));
  };
  Start();
  (void)Register("m.mar", 1);
  const auto first = Ask("m");
  executing.Wait();
  const auto queued = Ask("m");
  std::promise<StoreReply> gone;
  store_->Unregister("m", "", [&](StoreReply reply) { gone.set_value(std::move(reply)); });
  auto future = gone.get_future();
  while (store_->Describe("m", "").error.ok()) {
    std::this_thread::yield();
  }
  EXPECT_EQ(future.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  go_on.Open();
  EXPECT_TRUE(first->Wait().ok());
  EXPECT_TRUE(queued->Wait().ok());
  EXPECT_EQ(future.get().text, "Model \"m\" unregistered");
}

TEST_F(ModelStoreTest, Unregister_TellsWhenTheTimeRanOut) {
  Put("m.mar", Archive("m"));
  engine::testing::Latch executing, go_on;
  workers_.execute = [&](engine::Batch batch) {
    executing.Open();
    go_on.Wait();
    engine::testing::AnswerAll(std::move(batch));
  };
  options_.unregister_timeout_s = 0;
  Start();
  (void)Register("m.mar", 1);
  const auto first = Ask("m");
  executing.Wait();
  const StoreReply reply = Unregister("m");
  EXPECT_EQ(reply.error.fault, StoreFault::kTimeout);
  EXPECT_EQ(reply.error.message, "Timed out while cleaning resources: m");
  // The name is free again, though the old one still ends.
  EXPECT_TRUE(Register("m.mar").error.ok());
  go_on.Open();
  EXPECT_TRUE(first->Wait().ok());
  store_.reset();
}

TEST_F(ModelStoreTest, Register_RefusesTheNameOfARepositorysModel) {
  Put("m.mar", Archive("m"));
  Start();
  registry_.SetVersion("m", 3, {engine::ModelState::kLoading, "", nullptr});
  const StoreReply reply = Register("m.mar");
  EXPECT_EQ(reply.error.fault, StoreFault::kConflict);
  EXPECT_EQ(reply.error.message, "Model m is already served from the model repository");
  EXPECT_THAT(InTemporary(), IsEmpty());
}

TEST_F(ModelStoreTest, Register_OfOneArchiveAtOnce_HasOneWinner) {
  Put("m.mar", Archive("m"));
  Start();
  constexpr int kCount = 8;
  std::latch done(kCount);
  std::vector<StoreReply> replies(kCount);
  for (int i = 0; i < kCount; ++i) {
    store_->Register({.url = "m.mar"}, [&, i](StoreReply reply) {
      replies[i] = std::move(reply);
      done.count_down();
    });
  }
  done.wait();
  int ok = 0, conflicts = 0;
  for (const StoreReply& reply : replies) {
    ok += reply.error.ok() ? 1 : 0;
    conflicts += reply.error.fault == StoreFault::kConflict ? 1 : 0;
  }
  EXPECT_EQ(ok, 1);
  EXPECT_EQ(conflicts, kCount - 1);
  EXPECT_THAT(InTemporary(), SizeIs(1));
}

TEST_F(ModelStoreTest, LoadAtStart_ServesWhatItCan) {
  Put("a.mar", Archive("a"));
  Put("b.mar", Archive("b", "2.0"));
  files_.File("store/bad.mar", "no archive");
  files_.File("store/my-folder/handler.py", "def handle(data, context): return data\n");
  files_.File("store/.hidden.mar", "x");
  files_.File("store/readme.txt", "x");
  options_.worker_count_at_start = 2;
  Start();
  const auto archives = store_->ArchivesInStore();
  ASSERT_TRUE(archives.ok());
  EXPECT_THAT(*archives, ElementsAre("a.mar", "b.mar", "bad.mar", "my-folder"));
  std::vector<ModelStore::StartModel> models;
  for (const std::string& archive : *archives) {
    models.push_back({.registration = {.url = archive}, .default_version = ""});
  }
  store_->LoadAtStart(models);
  std::vector<std::string> names;
  for (const ModelFacts& facts : store_->List()) {
    names.push_back(facts.name);
    EXPECT_THAT(facts.workers, SizeIs(2));
    EXPECT_TRUE(facts.loaded_at_start);
  }
  EXPECT_THAT(names, ElementsAre("a", "b", "my_folder"));
}

TEST_F(ModelStoreTest, LoadAtStart_KeepsModelsWhoseWorkersFail) {
  Put("a.mar", Archive("a"));
  workers_.fail = true;
  Start();
  store_->LoadAtStart({{.registration = {.url = "a.mar"}, .default_version = ""}});
  EXPECT_EQ(store_->Describe("a", "").models.front().load_error, "no module named 'nothing'");
  EXPECT_FALSE(store_->Healthy());
}

TEST_F(ModelStoreTest, Shutdown_DrainsAndRefuses) {
  Put("m.mar", Archive("m"));
  Start();
  (void)Register("m.mar", 1);
  EXPECT_TRUE(store_->Shutdown(10 * kSecond));
  EXPECT_EQ(workers_.alive, 0);
  EXPECT_EQ(Register("m.mar").error.fault, StoreFault::kUnavailable);
}

// What archives may not do.

class StoreRefusalTest : public StoreFixture {
 protected:
  StoreError ErrorOf(Registration registration) {
    StoreError error = Register(std::move(registration)).error;
    EXPECT_THAT(InTemporary(), IsEmpty());
    return error;
  }
  StoreError ErrorOf(const std::string& url) { return ErrorOf(Registration{.url = url}); }
};

TEST_F(StoreRefusalTest, Cve_2024_35198_NamesDoNotLeaveTheStore) {
  files_.File("outside/m.mar", Archive("m").Make());
  Put("m.mar", Archive("m"));
  files_.Link("store/link.mar", files_.path("outside/m.mar"));
  files_.Link("store/inside.mar", files_.path("store/m.mar"));
  files_.Link("store/folder", files_.path("outside"));
  files_.File("store/content/MAR-INF/MANIFEST.json", Manifest("c", "1.0"));
  files_.Link("store/content/handler.py", files_.path("outside/m.mar"));
  Start();
  EXPECT_EQ(ErrorOf("../outside/m.mar").message,
            "Relative path is not allowed in url: ../outside/m.mar");
  EXPECT_EQ(ErrorOf("a/../m.mar").fault, StoreFault::kModelNotFound);
  for (const std::string& url :
       {files_.path("outside/m.mar"), std::string("link.mar"), std::string("inside.mar"),
        std::string("folder/m.mar"), std::string("folder"), std::string("/etc"), std::string("."),
        std::string("m.mar\n"), std::string("/")}) {
    const StoreError error = ErrorOf(url);
    EXPECT_EQ(error.fault, StoreFault::kModelNotFound) << url;
    EXPECT_THAT(error.message, StartsWith("Model not found at: ")) << url;
  }
  EXPECT_EQ(ErrorOf("content").fault, StoreFault::kInvalidModel);
  EXPECT_EQ(ErrorOf("none.mar").message, "Model not found at: none.mar");
  EXPECT_EQ(ErrorOf("").message, "empty url");
  EXPECT_TRUE(Register(files_.path("store/m.mar")).error.ok());  // as the command line has it
}

TEST_F(StoreRefusalTest, Cve_2023_48299_EntriesDoNotLeaveTheirFolder) {
  Start();
  for (const std::string& name : {std::string("../../marker"), files_.path("marker"),
                                  std::string("a/../../marker"), std::string("C:\\marker")}) {
    Put("m.mar", Archive("m").Add(name, "x"));
    const StoreError error = ErrorOf("m.mar");
    EXPECT_EQ(error.fault, StoreFault::kInvalidModel) << name;
    EXPECT_THAT(error.message, StartsWith("Invalid model archive m.mar: ")) << name;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(files_.path())) {
    EXPECT_NE(entry.path().filename(), "marker");
  }
}

TEST_F(StoreRefusalTest, Cve_2022_1471_SettingsMakeNoObjects) {
  Start();
  for (const char* yaml : {"a: !!python/object/apply:os.system ['x']\n",
                           "a: !!javax.script.ScriptEngineManager [x]\n"}) {
    Put("m.mar", Archive("m", "1.0", yaml));
    const StoreError error = ErrorOf("m.mar");
    EXPECT_EQ(error.fault, StoreFault::kInvalidModel);
    EXPECT_THAT(error.message, HasSubstr("is not allowed"));
  }
}

class FakeFetcher final : public ArchiveFetcher {
 public:
  StoreError Fetch(const std::string& url, const std::string& target, bool) override {
    if (url != allowed) {
      return {StoreFault::kModelNotFound, "Given URL " + url + " is not allowed"};
    }
    if (std::filesystem::exists(target)) {
      return {StoreFault::kInternal, "Model file already exists m.mar"};
    }
    std::ofstream(target, std::ios::binary) << content;
    return {};
  }

  std::string allowed, content;
};

TEST_F(StoreRefusalTest, Cve_2023_43654_NothingIsFetchedUnlessItIsAllowed) {
  Start();
  EXPECT_EQ(ErrorOf("http://127.0.0.1/m.mar").message,
            "Given URL http://127.0.0.1/m.mar does not match any allowed URL(s)");
  FakeFetcher fetcher;
  fetcher_ = &fetcher;
  Start();
  for (const char* url : {"http://169.254.169.254/m.mar", "file:///etc/passwd", "https://h/.."}) {
    EXPECT_EQ(ErrorOf(url).fault, StoreFault::kModelNotFound) << url;
  }
  EXPECT_TRUE(std::filesystem::is_empty(files_.path("store")));
}

TEST_F(StoreRefusalTest, Register_KeepsAFetchedArchiveAsLongAsItsModel) {
  FakeFetcher fetcher;
  fetcher_ = &fetcher;
  fetcher.allowed = "https://models/m.mar?token=x";
  fetcher.content = Archive("m").Make();
  Start();
  EXPECT_TRUE(Register(fetcher.allowed).error.ok());
  EXPECT_TRUE(std::filesystem::exists(files_.path("store/m.mar")));
  EXPECT_EQ(Register(fetcher.allowed).error.message, "Model file already exists m.mar");
  EXPECT_TRUE(Unregister("m").error.ok());
  EXPECT_FALSE(std::filesystem::exists(files_.path("store/m.mar")));
  fetcher.content = "no archive";
  EXPECT_EQ(ErrorOf(fetcher.allowed).fault, StoreFault::kInvalidModel);
  EXPECT_FALSE(std::filesystem::exists(files_.path("store/m.mar")));
}

TEST_F(StoreRefusalTest, Register_SaysWhatIsWrongWithAnArchive) {
  Start();
  Put("bare.mar", repository::ZipMaker().Add("handler.py", "x"));
  EXPECT_EQ(ErrorOf("bare.mar").message, "Model name is not defined.");
  EXPECT_EQ(ErrorOf("bare.mar").fault, StoreFault::kInvalidModel);
  Put("slash.mar", Archive("m", "1/2"));
  EXPECT_THAT(ErrorOf("slash.mar").message, HasSubstr("invalid model version '1/2'"));
  Put("name.mar", Archive("../x"));
  EXPECT_EQ(ErrorOf("name.mar").fault, StoreFault::kInvalidModel);
  Put("file.mar", repository::ZipMaker()
                      .Add("MAR-INF/MANIFEST.json",
                           Manifest("m", "1.0", R"(, "configFile": "../../etc/passwd")"))
                      .Add("handler.py", "x"));
  EXPECT_THAT(ErrorOf("file.mar").message, HasSubstr("'configFile'"));
  Put("m.mar", Archive("m"));
  EXPECT_EQ(ErrorOf(Registration{.url = "m.mar", .runtime = "ruby"}).message,
            "Invalid RuntimeType value: ruby");
  EXPECT_EQ(ErrorOf(Registration{.url = "m.mar", .name = "../x"}).fault, StoreFault::kInvalidModel);
  Registration many{.url = "m.mar"};
  many.settings.worker_count_min = 1'000'000;
  EXPECT_EQ(ErrorOf(std::move(many)).fault, StoreFault::kBadRequest);
}

TEST_F(StoreRefusalTest, Register_TakesANameForAnArchiveThatHasNone) {
  Start();
  Put("bare.mar", repository::ZipMaker().Add("handler.py", "x"));
  const StoreReply reply = Register(Registration{.url = "bare.mar", .name = "named"});
  EXPECT_EQ(reply.name, "named");
  EXPECT_EQ(reply.version, "1.0");
}

}  // namespace
}  // namespace headrace::store
