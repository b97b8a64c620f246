#include "engine/request_stages.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>

#include "engine/model.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::AnswerAll;
using testing::FakeModel;
using testing::Fp32Input;
using testing::SmallModel;
using testing::SmallRequest;

// Keeps the request that it is to prepare until the test goes on with it.
class HeldStages final : public RequestStages {
 public:
  HeldStages() {
    signature_.batch_size_max = 8;
    signature_.inputs.push_back({.name = "T", .dtype = DataType::kFp32, .dims = Shape{-1}});
    signature_.outputs.push_back({.name = "U", .dtype = DataType::kFp32, .dims = Shape{1}});
  }
  const ModelSignature& execution_signature() const override { return signature_; }
  void Prepare(std::unique_ptr<InferRequest> request, QueuePassage passage) override {
    held = std::move(request);
    passage_.emplace(std::move(passage));
  }

  void GoOn(const std::string& input) {
    held->inputs.clear();
    held->inputs.push_back(Fp32Input(input, Shape{1, 3}));
    held->wanted_outputs = {"U"};
    std::move(*passage_).Queue(std::move(held));
    passage_.reset();
  }
  void Refuse() {
    held->Finish(InvalidArgument("unreadable"));
    held.reset();
    passage_.reset();
  }

  std::unique_ptr<InferRequest> held;

 private:
  ModelSignature signature_;
  std::optional<QueuePassage> passage_;
};

class RequestStagesTest : public ::testing::Test {
 protected:
  RequestStagesTest() {
    ModelOptions options = SmallModel();
    options.stages = stages_;
    model_ = Model::Start(std::move(options), std::make_unique<FakeModel>([this](Batch batch) {
                            executed_ = batch.requests.front()->inputs.front().name;
                            AnswerAll(std::move(batch));
                          }),
                          Clock::Real())
                 .value();
    model_->Submit(SmallRequest(model_, answer_));
  }

  const std::shared_ptr<HeldStages> stages_ = std::make_shared<HeldStages>();
  const std::shared_ptr<Answer> answer_ = std::make_shared<Answer>();
  std::string executed_;
  ModelHandle model_;
};

TEST_F(RequestStagesTest, Submit_ExecutesWhatTheStagesMake) {
  EXPECT_EQ(&model_->execution_signature(), &stages_->execution_signature());
  EXPECT_EQ(answer_->ends(), 0);
  stages_->GoOn("T");
  EXPECT_TRUE(answer_->Wait().ok());
  EXPECT_TRUE(model_->Drain(kSecond * 60));
  EXPECT_EQ(executed_, "T");
  EXPECT_EQ(model_->in_flight(), 0);
  EXPECT_EQ(model_->statistics().Read().success.count, 1u);
}

TEST_F(RequestStagesTest, Submit_RefusesWhatDoesNotFitTheExecutionSignature) {
  stages_->GoOn("X");
  EXPECT_EQ(answer_->Wait().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(model_->Drain(kSecond * 60));
}

TEST_F(RequestStagesTest, Refusal_EndsTheRequestAndLeavesTheModel) {
  stages_->Refuse();
  EXPECT_EQ(answer_->Wait().message(), "unreadable");
  EXPECT_TRUE(model_->Drain(kSecond * 60));
}

TEST_F(RequestStagesTest, Drain_WaitsForWhatIsBeingPrepared) {
  bool drained = false;
  std::thread drainer([&] { drained = model_->Drain(kSecond * 60); });
  // The drain has begun when the model takes no more.
  for (bool refused = false; !refused;) {
    if (model_->Pin()) {
      model_->Unpin();
      std::this_thread::yield();
    } else {
      refused = true;
    }
  }
  stages_->GoOn("T");
  EXPECT_TRUE(answer_->Wait().ok());
  drainer.join();
  EXPECT_TRUE(drained);
}

}  // namespace
}  // namespace headrace::engine
