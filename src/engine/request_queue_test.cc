#include "engine/request_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeSink;

std::unique_ptr<InferRequest> Request(std::shared_ptr<Answer> answer, std::uint64_t shape = 0) {
  auto request =
      std::make_unique<InferRequest>(nullptr, std::make_unique<FakeSink>(std::move(answer)));
  request->shape_key = shape;
  request->byte_size = 10;
  return request;
}

BatchPolicyOptions Dynamic(std::int64_t max, Nanos delay) {
  return {.dynamic = true, .batch_size_max = max, .preferred_sizes = {}, .queue_delay_max = delay};
}

TEST(RequestQueueTest, PopBatch_ReturnsShorterBatch_WhenDelayElapses) {
  RequestQueue queue(Dynamic(8, kMillisecond), {}, Clock::Real());
  auto popped = std::async(std::launch::async, [&queue] { return queue.PopBatch(); });
  auto answer = std::make_shared<Answer>();
  queue.Push(Request(answer));
  std::optional<Batch> batch = popped.get();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->requests.size(), 1u);
  EXPECT_GE(batch->formed - batch->requests[0]->times.queued, kMillisecond);
  testing::AnswerAll(*std::move(batch));
}

TEST(RequestQueueTest, SetQueueDelay_WakesWhoSleepsUntilTheEndOfAnother) {
  RequestQueue queue(Dynamic(8, kNever / 2), {}, Clock::Real());
  auto popped = std::async(std::launch::async, [&queue] { return queue.PopBatch(); });
  queue.Push(Request(std::make_shared<Answer>()));
  queue.SetQueueDelay(0);
  std::optional<Batch> batch = popped.get();
  ASSERT_TRUE(batch);
  testing::AnswerAll(*std::move(batch));
}

TEST(RequestQueueTest, PopBatch_ReturnsAFullBatch_LongBeforeTheDelay) {
  RequestQueue queue(Dynamic(2, kNever / 2), {}, Clock::Real());
  auto popped = std::async(std::launch::async, [&queue] { return queue.PopBatch(); });
  queue.Push(Request(std::make_shared<Answer>()));
  queue.Push(Request(std::make_shared<Answer>()));
  std::optional<Batch> batch = popped.get();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->requests.size(), 2u);
  testing::AnswerAll(*std::move(batch));
}

TEST(RequestQueueTest, PopAhead_GivesTheNextRequest_WhereThereAreNoBatches) {
  RequestQueue queue({}, {}, Clock::Real());
  EXPECT_FALSE(queue.PopAhead());
  auto first = std::make_shared<Answer>(), second = std::make_shared<Answer>();
  queue.Push(Request(first));
  queue.Push(Request(second));
  std::optional<Batch> batch = queue.PopAhead();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->requests.size(), 1u);
  testing::AnswerAll(*std::move(batch));
  EXPECT_EQ(first->ends(), 1);
  EXPECT_EQ(queue.depth(), 1u);
  queue.Abandon("enough");
}

TEST(RequestQueueTest, PopAhead_AnswersWhoHasGone) {
  RequestQueue queue({}, {}, Clock::Real());
  auto gone = std::make_shared<Answer>();
  queue.Push(Request(gone));
  gone->Cancel();
  EXPECT_FALSE(queue.PopAhead());
  EXPECT_EQ(gone->Wait().code(), StatusCode::kCancelled);
}

TEST(RequestQueueTest, PopAhead_GivesWhatIsLeft_WhenTheQueueIsClosed) {
  RequestQueue queue({}, {}, Clock::Real());
  queue.Push(Request(std::make_shared<Answer>()));
  queue.Close();
  std::optional<Batch> batch = queue.PopAhead();
  ASSERT_TRUE(batch);
  testing::AnswerAll(*std::move(batch));
  EXPECT_FALSE(queue.PopAhead());
}

TEST(RequestQueueTest, RefusesWhatIsBeyondTheLimit) {
  RequestQueue queue(Dynamic(2, 0), {.request_count_max = 1}, Clock::Real());
  auto first = std::make_shared<Answer>(), second = std::make_shared<Answer>();
  queue.Push(Request(first));
  queue.Push(Request(second));
  EXPECT_EQ(second->Wait().ToString(),
            "UNAVAILABLE: [request id: <id_unknown>] Exceeds maximum queue size");
  EXPECT_EQ(queue.depth(), 1u);
  EXPECT_EQ(queue.byte_size(), 10u);
  queue.Close();
  testing::AnswerAll(*queue.PopBatch());
  EXPECT_TRUE(first->Wait().ok());
}

TEST(RequestQueueTest, DropsCancelledRequestsAtPop) {
  RequestQueue queue(Dynamic(4, 0), {}, Clock::Real());
  auto gone = std::make_shared<Answer>(), here = std::make_shared<Answer>();
  queue.Push(Request(gone));
  queue.Push(Request(here));
  gone->Cancel();
  std::optional<Batch> batch = queue.PopBatch();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->requests.size(), 1u);
  EXPECT_EQ(gone->Wait().code(), StatusCode::kCancelled);
  testing::AnswerAll(*std::move(batch));
  EXPECT_EQ(queue.depth(), 0u);
}

TEST(RequestQueueTest, AnswersWhatOutstaysItsTimeout_WhileNobodyPops) {
  RequestQueue queue(Dynamic(4, 0), {}, Clock::Real(),
                     {.default_policy = {.timeout = kMillisecond}});
  auto first = std::make_shared<Answer>(), second = std::make_shared<Answer>();
  queue.Push(Request(first));
  EXPECT_EQ(first->Wait().ToString(), "UNAVAILABLE: Request timeout expired");
  queue.Push(Request(second));
  EXPECT_EQ(second->Wait().ToString(), "UNAVAILABLE: Request timeout expired");
  EXPECT_EQ(queue.depth(), 0u);
  queue.Close();
}

TEST(RequestQueueTest, Close_LetsEveryThreadGo_AndRefusesPushes) {
  RequestQueue queue(Dynamic(4, 0), {}, Clock::Real());
  std::vector<std::future<std::optional<Batch>>> popped;
  for (int i = 0; i < 3; ++i) {
    popped.push_back(std::async(std::launch::async, [&queue] { return queue.PopBatch(); }));
  }
  queue.Close();
  for (auto& future : popped) {
    EXPECT_FALSE(future.get());
  }
  auto late = std::make_shared<Answer>();
  queue.Push(Request(late));
  EXPECT_EQ(late->Wait().code(), StatusCode::kUnavailable);
}

TEST(RequestQueueTest, Abandon_EndsWhatIsQueued) {
  RequestQueue queue(Dynamic(4, kSecond), {}, Clock::Real());
  auto answer = std::make_shared<Answer>();
  queue.Push(Request(answer));
  queue.Abandon("time is up");
  EXPECT_EQ(answer->Wait().ToString(), "UNAVAILABLE: [request id: <id_unknown>] time is up");
  EXPECT_EQ(queue.depth(), 0u);
}

// Every request goes through once, whatever the threads do: with a thread sanitizer the proof that
// the locking is right.
class RequestQueueThreadsTest : public ::testing::TestWithParam<BatchPolicyOptions> {};

TEST_P(RequestQueueThreadsTest, EveryRequestEndsOnce) {
  constexpr int kProducers = 3, kConsumers = 3, kRequests = 2000;
  RequestQueue queue(GetParam(), {}, Clock::Real());
  std::atomic<int> executed{0};
  std::vector<std::thread> consumers;
  for (int i = 0; i < kConsumers; ++i) {
    consumers.emplace_back([&] {
      while (std::optional<Batch> batch = queue.PopBatch()) {
        std::int64_t total = 0;
        for (const auto& request : batch->requests) {
          total += request->batch_size;
          EXPECT_EQ(request->shape_key, batch->requests.front()->shape_key);
        }
        EXPECT_LE(total, GetParam().batch_size_max);
        executed += static_cast<int>(batch->requests.size());
        testing::AnswerAll(*std::move(batch));
      }
    });
  }
  std::vector<std::vector<std::shared_ptr<Answer>>> answers(kProducers);
  std::vector<std::thread> producers;
  for (auto& mine : answers) {
    producers.emplace_back([&queue, &mine] {
      for (int i = 0; i < kRequests; ++i) {
        mine.push_back(std::make_shared<Answer>());
        queue.Push(Request(mine.back(), static_cast<std::uint64_t>(i % 3)));
        if (i % 7 == 0) {
          mine.back()->Cancel();
        }
        if (i % 50 == 0) {
          // Lets the queue run empty, so that runners park.
          const Status ended = mine.back()->Wait();
          EXPECT_TRUE(ended.ok() || ended.code() == StatusCode::kCancelled);
        }
      }
    });
  }
  for (std::thread& producer : producers) {
    producer.join();
  }
  queue.Close();
  for (std::thread& consumer : consumers) {
    consumer.join();
  }
  int ok = 0;
  for (const auto& mine : answers) {
    for (const auto& answer : mine) {
      EXPECT_EQ(answer->ends(), 1);
      ok += answer->Wait().ok() ? 1 : 0;
    }
  }
  EXPECT_EQ(ok, executed);
  EXPECT_EQ(queue.depth(), 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Policies, RequestQueueThreadsTest,
    ::testing::Values(Dynamic(8, 0), Dynamic(8, 50 * kMicrosecond), Dynamic(1, 0),
                      BatchPolicyOptions{.dynamic = false, .batch_size_max = 8}));

}  // namespace
}  // namespace headrace::engine
