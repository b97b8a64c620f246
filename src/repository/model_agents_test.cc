// What repository agents hear of loads and unloads, and what they can change.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "engine/repository_agents.h"
#include "repository/testing/manager_fixture.h"

namespace headrace::repository {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Agents that write down what they hear; one at a time is enough here.
class FakeAgents final : public engine::AgentProvider {
 public:
  Result<std::shared_ptr<engine::ModelAgents>> Load(engine::AgentTask task) override {
    Note("load " + task.model_name);
    tasks.push_back(task);
    if (!failure.ok()) {
      return failure;
    }
    return std::shared_ptr<engine::ModelAgents>(
        std::make_shared<Run>(*this, directory.empty() ? task.model_directory : directory));
  }
  std::vector<std::string> Take() {
    std::lock_guard lock(mutex_);
    return std::exchange(notes_, {});
  }
  // Returns once `note` is there.
  void Await(const std::string& note) {
    for (bool found = false; !found; std::this_thread::yield()) {
      std::lock_guard lock(mutex_);
      found = std::find(notes_.begin(), notes_.end(), note) != notes_.end();
    }
  }

  Status failure;
  std::string directory;  // empty: the model's own
  std::vector<engine::AgentTask> tasks;

 private:
  class Run final : public engine::ModelAgents {
   public:
    Run(FakeAgents& agents, std::string directory)
        : agents_(agents), directory_(std::move(directory)) {}
    ~Run() override { agents_.Note("end"); }
    const std::string& directory() const override { return directory_; }
    void LoadComplete() override { agents_.Note("complete"); }
    void Unload() override { agents_.Note("unload"); }

   private:
    FakeAgents& agents_;
    const std::string directory_;
  };
  void Note(std::string text) {
    std::lock_guard lock(mutex_);
    notes_.push_back(std::move(text));
  }

  std::mutex mutex_;
  std::vector<std::string> notes_;
};

class ModelAgentsTest : public ModelManagerTest {
 protected:
  ModelAgentsTest() { options_.agents = agents_; }

  static std::string WithAgent() {
    return std::string(kConfig) +
           "model_repository_agents { agents { name: \"first\" parameters { key: \"k\" value: "
           "\"v\" } } agents { name: \"second\" } }";
  }

  const std::shared_ptr<FakeAgents> agents_ = std::make_shared<FakeAgents>();
};

TEST_F(ModelAgentsTest, TheyHearOfLoadAndUnload) {
  files_.Model("m", WithAgent());
  Start(ControlMode::kExplicit, {"m"});
  EXPECT_THAT(agents_->Take(), ElementsAre("load m", "complete"));
  ASSERT_EQ(agents_->tasks.size(), 1u);
  const engine::AgentTask& task = agents_->tasks[0];
  EXPECT_EQ(task.model_directory, files_.path("m"));
  EXPECT_THAT(task.config_json, HasSubstr("model_repository_agents"));
  ASSERT_EQ(task.agents.size(), 2u);
  EXPECT_EQ(task.agents[0].name, "first");
  EXPECT_THAT(task.agents[0].parameters, ElementsAre(std::pair("k", "v")));
  EXPECT_EQ(task.agents[1].name, "second");
  EXPECT_TRUE(Infer("m").ok());
  EXPECT_TRUE(Unload("m").ok());
  agents_->Await("end");
  EXPECT_THAT(agents_->Take(), ElementsAre("unload", "end"));
}

TEST_F(ModelAgentsTest, TheEndComesWithTheLastVersion) {
  files_.Model("m", WithAgent());
  Start(ControlMode::kExplicit, {"m"});
  agents_->Take();
  engine::ModelHandle held = Find("m");
  EXPECT_TRUE(Unload("m").ok());
  EXPECT_THAT(agents_->Take(), ElementsAre("unload"));
  held.reset();
  agents_->Await("end");
}

TEST_F(ModelAgentsTest, TheModelIsLoadedFromWhereTheyPutIt) {
  files_.File("m/config.pbtxt", WithAgent());
  TemporaryRepository made;
  made.Model("there", kConfig, "7");
  agents_->directory = made.path("there");
  Start(ControlMode::kExplicit, {"m"});
  EXPECT_TRUE(start_.ok());
  EXPECT_THAT(Index(), ElementsAre("m:7=READY"));
  EXPECT_TRUE(Infer("m").ok());
}

TEST_F(ModelAgentsTest, AReload_LetsThemActAgain) {
  files_.Model("m", WithAgent());
  TemporaryRepository made;
  made.Model("one", kConfig, "1");
  made.Model("two", kConfig, "2");
  agents_->directory = made.path("one");
  Start(ControlMode::kExplicit, {"m"});
  agents_->Take();
  agents_->directory = made.path("two");
  EXPECT_TRUE(Load("m").ok());
  agents_->Await("end");
  EXPECT_THAT(agents_->Take(), ElementsAre("load m", "complete", "end"));
}

TEST_F(ModelAgentsTest, AFailedLoad_IsTheirEnd) {
  files_.Model("m", WithAgent());
  Start(ControlMode::kExplicit);
  agents_->directory = "/nowhere";
  EXPECT_THAT(Load("m").message(), HasSubstr("put the model into '/nowhere'"));
  EXPECT_THAT(agents_->Take(), ElementsAre("load m", "end"));
  agents_->directory.clear();
  agents_->failure = InvalidArgument("repository agent 'first': not this one");
  EXPECT_THAT(Load("m").message(), HasSubstr("repository agent 'first': not this one"));
  EXPECT_THAT(agents_->Take(), ElementsAre("load m"));
  EXPECT_EQ(Find("m"), nullptr);
}

TEST_F(ModelAgentsTest, WithoutAgents_ModelsThatNameOneAreRefused) {
  files_.Model("m", WithAgent());
  options_.agents = nullptr;
  Start(ControlMode::kExplicit);
  EXPECT_THAT(Load("m").message(), HasSubstr("model_repository_agents"));
}

}  // namespace
}  // namespace headrace::repository
