// A model with a rate limiter, and with warm-up samples.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/rate_limiter.h"
#include "engine/testing/fake_backend.h"
#include "engine/warmup.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeModel;
using testing::Fp32Input;
using ::testing::HasSubstr;
using testing::SmallModel;
using testing::SmallRequest;

class LimitedModelTest : public ::testing::Test {
 protected:
  Result<ModelHandle> Start(std::vector<ResourceNeed> needs, std::uint32_t priority = 1,
                            int instances = 1) {
    ModelOptions options = SmallModel(instances);
    options.batching = {};
    options.limiter = limiter_;
    for (InstancePlacement& placement : options.placements) {
      placement.resources = needs;
      placement.rate_priority = priority;
    }
    return Model::Start(std::move(options), std::make_unique<FakeModel>([this](Batch batch) {
                          const int now = ++running_;
                          int most = most_;
                          while (now > most && !most_.compare_exchange_weak(most, now)) {
                          }
                          std::this_thread::yield();
                          --running_;
                          testing::AnswerAll(std::move(batch));
                        }),
                        Clock::Real());
  }

  std::shared_ptr<RateLimiter> limiter_ = std::make_shared<RateLimiter>(
      std::vector<ResourceLimit>{{.name = "R", .count = 2, .device = {}}});
  std::atomic<int> running_{0}, most_{0};
};

TEST_F(LimitedModelTest, NoMoreExecutionsRunThanThereAreResources) {
  const ModelHandle one = Start({{"R", true, 1}}, 1, 4).value();
  const ModelHandle other = Start({{"R", true, 1}}, 3, 4).value();
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 400; ++i) {
    answers.push_back(std::make_shared<Answer>());
    const ModelHandle& model = i % 2 == 0 ? one : other;
    model->Submit(SmallRequest(model, answers.back()));
  }
  for (const auto& answer : answers) {
    EXPECT_TRUE(answer->Wait().ok());
  }
  EXPECT_LE(most_, 2);
  EXPECT_TRUE(one->Drain(10 * kSecond));
  EXPECT_TRUE(other->Drain(10 * kSecond));
  EXPECT_EQ(limiter_->waiting_count(), 0u);
}

TEST_F(LimitedModelTest, AnInstanceThatCouldNeverRun_FailsTheLoad_AndLeavesNothing) {
  EXPECT_THAT(Start({{"R", true, 3}}).status().message(), HasSubstr("is limited to 2"));
  // Nothing is left that says that R is global.
  const ModelHandle model = Start({{"R", false, 1}}).value();
  EXPECT_TRUE(model->Drain(kSecond));
}

TEST(RateLimiterTest, OneThatDoesNotComeBack_IsNotWaitedForLong) {
  RateLimiter limiter({});
  InstancePlacement placement;
  placement.resources = {{"R", true, 1}};
  const auto first = limiter.Join(placement).value();
  placement.rate_priority = 5;
  const auto second = limiter.Join(placement).value();
  second->Acquire();
  second->Release(false);
  first->Acquire();
  std::thread waits([&] {
    second->Acquire();
    second->Release(false);
  });
  while (limiter.waiting_count() == 0) {
    std::this_thread::yield();
  }
  first->Release(true);
  waits.join();
}

class WarmupTest : public ::testing::Test {
 protected:
  Result<ModelHandle> Start(std::vector<WarmupSample> samples,
                            std::function<void(Batch)> execute = &testing::AnswerAll,
                            int instances = 2) {
    ModelOptions options = SmallModel(instances);
    options.warmup = std::make_shared<const Warmup>(std::move(samples), pool_);
    return Model::Start(std::move(options),
                        std::make_unique<FakeModel>([this, execute](Batch batch) {
                          ++executions_;
                          requests_ += static_cast<int>(batch.requests.size());
                          execute(std::move(batch));
                        }),
                        Clock::Real());
  }
  static WarmupSample Sample(std::uint32_t count, std::uint32_t request_count) {
    return {.name = "s",
            .count = count,
            .request_count = request_count,
            .inputs = {Fp32Input("X", Shape{1, 1})}};
  }

  BlockPool pool_;
  std::atomic<int> executions_{0}, requests_{0};
};

TEST_F(WarmupTest, RunsEverySample_OnEveryInstance) {
  const ModelHandle model = Start({Sample(3, 4), Sample(1, 1)}).value();
  EXPECT_EQ(executions_, 2 * (3 + 1));
  EXPECT_EQ(requests_, 2 * (3 * 4 + 1));
  const StatisticsSnapshot statistics = model->statistics().Read();
  EXPECT_EQ(statistics.received, 26u);
  EXPECT_EQ(statistics.success.count, 26u);
  EXPECT_EQ(model->in_flight(), 0);
  EXPECT_TRUE(model->Drain(kSecond));
}

TEST_F(WarmupTest, AnInstanceThatComesLater_IsWarmedUp) {
  const ModelHandle model = Start({Sample(1, 1)}).value();
  std::vector<InstancePlacement> wanted = model->options().placements;
  wanted.push_back({.name = "more"});
  EXPECT_TRUE(model->SetPlacements(wanted).ok());
  EXPECT_EQ(executions_, 3);
  EXPECT_TRUE(model->Drain(kSecond));
}

TEST_F(WarmupTest, AFailure_NamesTheSample) {
  EXPECT_EQ(Start({Sample(1, 2)},
                  [](Batch batch) {
                    for (auto& request : batch.requests) {
                      request->Finish(Internal("broken"));
                    }
                  })
                .status()
                .message(),
            "failed to run warmup sample 's': broken; ");
  EXPECT_THAT(
      Start({Sample(1, 1)}, [](Batch) { throw std::runtime_error("thrown"); }).status().message(),
      HasSubstr("failed to run warmup sample 's': "));
}

TEST_F(WarmupTest, ASampleThatTheModelDoesNotTake_IsNotExecuted) {
  WarmupSample sample = Sample(1, 1);
  sample.inputs[0].name = "Z";
  EXPECT_THAT(Start({sample}).status().message(),
              HasSubstr("failed to run warmup sample 's': unexpected inference input 'Z'"));
  EXPECT_EQ(executions_, 0);
}

TEST_F(WarmupTest, WaitsForAnswersThatComeLater) {
  std::thread later;
  const auto model = Start(
      {Sample(1, 1)},
      [&later](Batch batch) {
        later =
            std::thread([request = std::move(batch.requests[0])] { request->Finish(OkStatus()); });
      },
      1);
  EXPECT_TRUE(model.ok());
  later.join();
  EXPECT_TRUE((*model)->Drain(kSecond));
}

}  // namespace
}  // namespace headrace::engine
