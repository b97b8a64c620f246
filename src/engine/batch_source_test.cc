// Which instances are offered a second batch while they execute one, and when.
#include "engine/batch_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using ::testing::Each;
using ::testing::ElementsAre;

// How many batches each execution had.
class Rows {
 public:
  void Add(std::size_t batch_count) {
    std::lock_guard lock(mutex_);
    rows_.push_back(batch_count);
  }
  std::vector<std::size_t> Read() const {
    std::lock_guard lock(mutex_);
    return rows_;
  }

 private:
  mutable std::mutex mutex_;  // guards rows_
  std::vector<std::size_t> rows_;
};

// Takes all that it is offered before it answers anything.
class GreedyInstance final : public Instance, public PipelinedInstance {
 public:
  explicit GreedyInstance(Rows& rows) : rows_(rows) {}
  void Execute(Batch batch) override {
    rows_.Add(1);
    testing::AnswerAll(std::move(batch));
  }
  void ExecuteRow(Batch first, BatchSource& more) override {
    std::vector<Batch> row;
    row.push_back(std::move(first));
    while (std::optional<Batch> next = more.TryNext()) {
      row.push_back(*std::move(next));
    }
    rows_.Add(row.size());
    for (Batch& batch : row) {
      testing::AnswerAll(std::move(batch));
    }
  }

 private:
  Rows& rows_;
};

class GreedyModel final : public LoadedModel {
 public:
  explicit GreedyModel(Rows& rows) : rows_(rows) {}
  void SetFinalConfig(std::string) override {}
  Result<std::unique_ptr<Instance>> CreateInstance(const InstancePlacement&) override {
    return std::unique_ptr<Instance>(std::make_unique<GreedyInstance>(rows_));
  }

 private:
  Rows& rows_;
};

class BatchSourceTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kCount = 8;

  // Nothing is given out before kCount requests wait.
  static ModelOptions OneByOne(int instances = 1) {
    ModelOptions options = testing::SmallModel(instances);
    options.batching = {};
    options.queue_limits.hold_until_count = kCount;
    return options;
  }
  std::vector<std::size_t> Serve(ModelOptions options) {
    auto model =
        Model::Start(std::move(options), std::make_unique<GreedyModel>(rows_), Clock::Real())
            .value();
    std::vector<std::shared_ptr<Answer>> answers;
    for (std::size_t i = 0; i < kCount; ++i) {
      answers.push_back(std::make_shared<Answer>());
      model->Submit(testing::SmallRequest(model, answers.back()));
    }
    for (const auto& answer : answers) {
      EXPECT_TRUE(answer->Wait().ok());
    }
    EXPECT_TRUE(model->Drain(60 * kSecond));
    executions_ = model->statistics().Read().success.count;
    return rows_.Read();
  }

  Rows rows_;
  std::uint64_t executions_ = 0;
};

TEST_F(BatchSourceTest, TheOnlyInstanceIsOfferedWhatWaits) {
  EXPECT_THAT(Serve(OneByOne()), ElementsAre(kCount));
  EXPECT_EQ(executions_, kCount);
}

TEST_F(BatchSourceTest, OneOfSeveralInstancesIsNot) { EXPECT_THAT(Serve(OneByOne(2)), Each(1u)); }

TEST_F(BatchSourceTest, ADecoupledModelIsNot) {
  ModelOptions options = OneByOne();
  options.decoupled = true;
  EXPECT_THAT(Serve(std::move(options)), Each(1u));
}

TEST_F(BatchSourceTest, ADynamicBatchIsLeftToGrow) {
  ModelOptions options = OneByOne();
  options.batching = {.dynamic = true, .batch_size_max = 3};
  EXPECT_THAT(Serve(std::move(options)), ElementsAre(1u, 1u, 1u));
}

// The instance ends with what it has.
TEST_F(BatchSourceTest, AnInstanceThatIsTakenAwayIsOfferedNothingMore) {
  class EndlessInstance final : public Instance, public PipelinedInstance {
   public:
    void Execute(Batch batch) override { testing::AnswerAll(std::move(batch)); }
    // Goes on for as long as it is offered something, and sees to it that something waits.
    void ExecuteRow(Batch first, BatchSource& more) override {
      std::optional<Batch> batch = std::move(first);
      while (batch) {
        const ModelHandle model = batch->requests.front()->model();
        model->Submit(testing::SmallRequest(model, std::make_shared<Answer>()));
        testing::AnswerAll(*std::exchange(batch, std::nullopt));
        batch = more.TryNext();
      }
    }
  };
  class EndlessModel final : public LoadedModel {
   public:
    void SetFinalConfig(std::string) override {}
    Result<std::unique_ptr<Instance>> CreateInstance(const InstancePlacement&) override {
      return std::unique_ptr<Instance>(std::make_unique<EndlessInstance>());
    }
  };
  ModelOptions options = testing::SmallModel();
  options.batching = {};
  auto model =
      Model::Start(std::move(options), std::make_unique<EndlessModel>(), Clock::Real()).value();
  auto first = std::make_shared<Answer>();
  model->Submit(testing::SmallRequest(model, first));
  EXPECT_TRUE(first->Wait().ok());
  ASSERT_TRUE(model->SetPlacements({{.name = "another"}}).ok());
  EXPECT_EQ(model->instance_count(), 1u);
  // Ends both: requests that would come are refused.
  EXPECT_TRUE(model->Drain(60 * kSecond));
}

}  // namespace
}  // namespace headrace::engine
