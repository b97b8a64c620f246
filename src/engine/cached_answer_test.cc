// A model's way past a cache that may block.
#include "engine/cached_answer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "engine/local_response_cache.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::Latch;
using testing::SmallModel;
using testing::SmallRequest;

// Answers nothing before it is opened.
class BlockingCache final : public ResponseCache {
 public:
  explicit BlockingCache(std::size_t waiting_max) : threads_("cache", 1, waiting_max) {}
  std::uint64_t key_seed() const override { return 0; }
  std::optional<InferResponse> Lookup(const CacheKey& key) override {
    open.Wait();
    return kept_.Lookup(key);
  }
  void Insert(const CacheKey& key, const InferResponse& response) override {
    insertion_open.Wait();
    kept_.Insert(key, response);
  }
  TaskThreads* threads() override { return &threads_; }

  Latch open, insertion_open;

 private:
  LocalResponseCache kept_{100'000};
  TaskThreads threads_;
};

class CacheElsewhereTest : public ::testing::Test {
 protected:
  void Start(std::size_t waiting_max = 100) {
    cache_ = std::make_shared<BlockingCache>(waiting_max);
    ModelOptions options = SmallModel(1);
    options.cache = cache_;
    model_ =
        Model::Start(std::move(options), std::make_unique<testing::FakeModel>([this](Batch batch) {
                       executed_ += static_cast<int>(batch.requests.size());
                       testing::AnswerAll(std::move(batch));
                     }),
                     Clock::Real())
            .value();
  }
  void OpenAll() {
    cache_->open.Open();
    cache_->insertion_open.Open();
  }
  ~CacheElsewhereTest() override {
    OpenAll();
    EXPECT_TRUE(model_->Drain(10 * kSecond));
    EXPECT_EQ(model_->in_flight(), 0);
  }

  std::shared_ptr<Answer> Ask() {
    auto answer = std::make_shared<Answer>();
    model_->Submit(SmallRequest(model_, answer));
    return answer;
  }
  StatisticsSnapshot statistics() const { return model_->statistics().Read(); }

  std::shared_ptr<BlockingCache> cache_;
  std::atomic<int> executed_{0};
  std::shared_ptr<Model> model_;
};

TEST_F(CacheElsewhereTest, SubmittingDoesNotWaitForALookUp) {
  Start();
  const auto first = Ask();
  const auto second = Ask();
  EXPECT_EQ(executed_, 0);
  EXPECT_EQ(model_->in_flight(), 2);
  OpenAll();
  EXPECT_TRUE(first->Wait().ok());
  EXPECT_TRUE(second->Wait().ok());
  EXPECT_TRUE(Ask()->Wait().ok());
  EXPECT_GT(statistics().cache_hit.count, 0u);
}

TEST_F(CacheElsewhereTest, TheAnswerFollowsItsInsertion_AndTheInstanceDoesNotWait) {
  Start();
  cache_->open.Open();
  const auto first = Ask();
  while (first->responses() == 0) {
    std::this_thread::yield();
  }
  EXPECT_EQ(first->ends(), 0);
  cache_->insertion_open.Open();
  EXPECT_TRUE(first->Wait().ok());
  EXPECT_TRUE(Ask()->Wait().ok());
  EXPECT_EQ(executed_, 1);
  EXPECT_EQ(statistics().cache_miss.count, 1u);
  EXPECT_EQ(statistics().cache_hit.count, 1u);
}

TEST_F(CacheElsewhereTest, GoesWithoutTheCache_WhenTooManyWaitForIt) {
  Start(/*waiting_max=*/1);
  std::vector<std::shared_ptr<Answer>> answers, refused;
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = cache_->threads()->refused_count();
    answers.push_back(Ask());
    if (cache_->threads()->refused_count() > before) {
      refused.push_back(answers.back());
    }
  }
  // One or two are with the cache: which ones is a matter of when its thread takes the first.
  EXPECT_GE(refused.size(), 3u);
  for (const auto& answer : refused) {
    EXPECT_TRUE(answer->Wait().ok());
  }
  OpenAll();
  for (const auto& answer : answers) {
    EXPECT_TRUE(answer->Wait().ok());
  }
}

TEST_F(CacheElsewhereTest, ADrainWaitsForLookUps_AndExecutesWhatTheyMiss) {
  Start();
  const auto answer = Ask();
  std::thread drain([this] { EXPECT_TRUE(model_->Drain(10 * kSecond)); });
  while (model_->Pin()) {  // until the drain has begun
    model_->Unpin();
  }
  OpenAll();
  EXPECT_TRUE(answer->Wait().ok());
  drain.join();
  EXPECT_EQ(executed_, 1);
}

}  // namespace
}  // namespace headrace::engine
