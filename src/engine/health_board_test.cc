#include "engine/health_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "engine/instance_thread.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using ::testing::AllOf;
using testing::Answer;
using testing::AnswerAll;
using ::testing::HasSubstr;
using testing::Latch;
using testing::SmallModel;
using testing::SmallRequest;
using State = InstanceHealth::State;

// Lets the test say how the instances are, and counts what each of them executes.
class Instances {
 public:
  void Watch(const std::string& name, HealthListener listener) {
    std::lock_guard lock(mutex_);
    if (const auto found = at_start_.find(name); found != at_start_.end()) {
      listener(found->second);
    }
    listeners_[name] = std::move(listener);
  }
  void Say(const std::string& name, State state, std::string reason = "") {
    HealthListener listener;
    {
      std::lock_guard lock(mutex_);
      listener = listeners_.at(name);
    }
    listener({state, std::move(reason)});
  }
  void SayAtStart(const std::string& name, State state, std::string reason) {
    at_start_[name] = {state, std::move(reason)};
  }
  void Executed(const std::string& name) {
    std::lock_guard lock(mutex_);
    ++executed_[name];
  }
  int executed(const std::string& name) {
    std::lock_guard lock(mutex_);
    return executed_[name];
  }
  void Forget() {
    std::lock_guard lock(mutex_);
    listeners_.clear();
  }

 private:
  std::mutex mutex_;  // guards what follows
  std::map<std::string, HealthListener> listeners_;
  std::map<std::string, InstanceHealth> at_start_;
  std::map<std::string, int> executed_;
};

class WatchedInstance final : public Instance {
 public:
  WatchedInstance(std::string name, Instances& instances)
      : name_(std::move(name)), instances_(instances) {}
  void Execute(Batch batch) override {
    instances_.Executed(name_);
    AnswerAll(std::move(batch));
  }
  void WatchHealth(HealthListener listener) override {
    instances_.Watch(name_, std::move(listener));
  }

 private:
  const std::string name_;
  Instances& instances_;
};

class WatchedModel final : public LoadedModel {
 public:
  explicit WatchedModel(Instances& instances) : instances_(instances) {}
  void SetFinalConfig(std::string) override {}
  Result<std::unique_ptr<Instance>> CreateInstance(const InstancePlacement& placement) override {
    return std::unique_ptr<Instance>(std::make_unique<WatchedInstance>(placement.name, instances_));
  }

 private:
  Instances& instances_;
};

class HealthBoardTest : public ::testing::Test {
 protected:
  void StartModel(int instances) {
    model =
        Model::Start(SmallModel(instances), std::make_unique<WatchedModel>(backend), Clock::Real())
            .value();
  }
  std::shared_ptr<Answer> Submit() {
    auto answer = std::make_shared<Answer>();
    model->Submit(SmallRequest(model, answer));
    return answer;
  }

  Instances backend;
  ModelHandle model;
};

TEST_F(HealthBoardTest, AnInstanceThatIsNotReadyLeavesTheQueueToOthers) {
  StartModel(2);
  EXPECT_TRUE(Submit()->Wait().ok());
  backend.Say("group_0", State::kRecovering, "is restarting");
  const int before = backend.executed("group_0");
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(Submit()->Wait().ok());
  }
  EXPECT_EQ(backend.executed("group_0"), before);
  EXPECT_TRUE(model->Health().ok());
  EXPECT_EQ(model->ready_instance_count(), 1U);
  backend.Say("group_1", State::kDown, "is gone");
  const auto waits = Submit();
  EXPECT_THAT(model->Health().ToString(),
              "UNAVAILABLE: model 'small' version 1 cannot serve: none of its 2 instances is "
              "ready; 'group_1' is gone");
  EXPECT_TRUE(model->CanServe());
  backend.Say("group_0", State::kReady);
  EXPECT_TRUE(waits->Wait().ok());
  EXPECT_EQ(backend.executed("group_0"), before + 1);
}

TEST_F(HealthBoardTest, RequestsWaitForAnInstanceThatRecovers) {
  StartModel(1);
  backend.Say("group_0", State::kRecovering, "is restarting after: exit status 1");
  EXPECT_THAT(model->Health().message(),
              HasSubstr("its instance 'group_0' is restarting after: exit status 1"));
  const auto first = Submit(), second = Submit();
  EXPECT_EQ(model->queue_depth(), 2U);
  backend.Say("group_0", State::kReady);
  EXPECT_TRUE(first->Wait().ok());
  EXPECT_TRUE(second->Wait().ok());
  EXPECT_TRUE(model->Health().ok());
}

TEST_F(HealthBoardTest, RequestsAreRefusedWhileAllInstancesAreDown) {
  StartModel(2);
  backend.Say("group_0", State::kDown, "fails");
  backend.Say("group_1", State::kRecovering, "is restarting");
  const auto queued = Submit();
  backend.Say("group_1", State::kDown, "fails, too");
  EXPECT_EQ(queued->Wait().code(), StatusCode::kUnavailable);
  const Status refused = Submit()->Wait();
  EXPECT_EQ(refused.code(), StatusCode::kUnavailable);
  EXPECT_THAT(refused.message(),
              HasSubstr("model 'small' version 1 cannot serve: none of its 2 instances is ready; "
                        "'group_0' fails"));
  EXPECT_FALSE(model->CanServe());
  backend.Say("group_0", State::kDown, "has failed for good");
  EXPECT_THAT(Submit()->Wait().message(), HasSubstr("'group_0' has failed for good"));
  backend.Say("group_1", State::kReady);
  EXPECT_TRUE(model->CanServe());
  EXPECT_TRUE(Submit()->Wait().ok());
}

TEST_F(HealthBoardTest, AnInstanceMayStartUnready) {
  backend.SayAtStart("group_0", State::kDown, "has not begun");
  StartModel(1);
  EXPECT_FALSE(model->CanServe());
  EXPECT_EQ(Submit()->Wait().code(), StatusCode::kUnavailable);
}

TEST_F(HealthBoardTest, AModelThatWaitsForItsInstanceEndsInTime) {
  StartModel(1);
  backend.Say("group_0", State::kRecovering, "is restarting");
  const auto queued = Submit();
  EXPECT_FALSE(model->Drain(10 * kMillisecond));
  EXPECT_THAT(queued->Wait().message(), HasSubstr("was unloaded before the request's turn came"));
  EXPECT_TRUE(model->Drain(10 * kSecond));
}

TEST_F(HealthBoardTest, AnInstanceThatIsTakenAwayWhileItRecoversIsForgotten) {
  StartModel(2);
  backend.Say("group_1", State::kRecovering, "is restarting");
  backend.Say("group_0", State::kDown, "is gone");
  auto fewer = model->options().placements;
  fewer.pop_back();
  ASSERT_TRUE(model->SetPlacements(fewer).ok());
  EXPECT_FALSE(model->CanServe());
  backend.Say("group_1", State::kReady);  // too late
  EXPECT_FALSE(model->CanServe());
  backend.Say("group_0", State::kReady);
  EXPECT_TRUE(Submit()->Wait().ok());
}

TEST_F(HealthBoardTest, QueuedRequestsStillEndWhenTheModelIsDestroyed) {
  StartModel(1);
  backend.Say("group_0", State::kRecovering, "is restarting");
  auto answer = std::make_shared<Answer>();
  {
    // The request does not hold the model: nobody does any more.
    auto request = SmallRequest(model, answer);
    model->Submit(std::move(request));
  }
  EXPECT_FALSE(model->Drain(0));
  EXPECT_FALSE(answer->Wait().ok());
  model.reset();
}

TEST_F(HealthBoardTest, NoRequestIsLostWhileInstancesComeAndGo) {
  StartModel(2);
  std::atomic<bool> done{false};
  std::thread weather([&] {
    const State states[] = {State::kRecovering, State::kReady, State::kDown, State::kReady};
    for (std::size_t i = 0; !done.load(); ++i) {
      backend.Say(i % 3 == 0 ? "group_0" : "group_1", states[i % 4], "is unwell");
    }
    backend.Say("group_0", State::kReady);
    backend.Say("group_1", State::kReady);
  });
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 2000; ++i) {
    answers.push_back(Submit());
  }
  done = true;
  weather.join();
  for (const auto& answer : answers) {
    const Status status = answer->Wait();
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kUnavailable) << status.ToString();
    EXPECT_EQ(answer->ends(), 1);
  }
  EXPECT_TRUE(Submit()->Wait().ok());
  EXPECT_TRUE(model->Drain(10 * kSecond));
}

TEST(InstanceThread, DestroysNoModelThatWaitsForIt) {
  // The last handle goes on a thread that the instance joins when it is destroyed.
  class OwnThread final : public Instance {
   public:
    ~OwnThread() override { thread_.join(); }
    void Execute(Batch batch) override {
      thread_ = std::thread([batch = std::make_shared<Batch>(std::move(batch)), this] {
        const ScopedInstanceThread own;
        go.Wait();
        batch->requests.front()->Finish(OkStatus());
        batch->requests.clear();
      });
    }
    Latch go;

   private:
    std::thread thread_;
  };
  class Loaded final : public LoadedModel {
   public:
    explicit Loaded(Latch& gone, OwnThread*& made) : gone_(gone), made_(made) {}
    ~Loaded() override { gone_.Open(); }
    void SetFinalConfig(std::string) override {}
    Result<std::unique_ptr<Instance>> CreateInstance(const InstancePlacement&) override {
      auto instance = std::make_unique<OwnThread>();
      made_ = instance.get();
      return std::unique_ptr<Instance>(std::move(instance));
    }

   private:
    Latch& gone_;
    OwnThread*& made_;
  };
  Latch gone;
  OwnThread* instance = nullptr;
  ModelHandle model =
      Model::Start(SmallModel(1), std::make_unique<Loaded>(gone, instance), Clock::Real()).value();
  auto answer = std::make_shared<Answer>();
  model->Submit(SmallRequest(model, answer));
  model.reset();
  instance->go.Open();
  EXPECT_TRUE(answer->Wait().ok());
  gone.Wait();
}

}  // namespace
}  // namespace headrace::engine
