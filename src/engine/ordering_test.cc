#include "engine/ordering.h"

#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeSink;

class ResponseOrderTest : public ::testing::Test {
 protected:
  // A place in line that writes `name` down when it is answered.
  std::unique_ptr<ResponseSink> Join(const std::string& name) {
    answers_.push_back(std::make_shared<Answer>());
    return order_->Join(std::make_unique<FakeSink>(
        answers_.back(),
        [this, name](const Status& status) { log_ += name + (status.ok() ? " " : "! "); }));
  }
  std::shared_ptr<ResponseOrder> order_ = std::make_shared<ResponseOrder>();
  std::vector<std::shared_ptr<Answer>> answers_;
  std::string log_;
};

TEST_F(ResponseOrderTest, HoldsAnAnswer_UntilThoseBeforeItHaveEnded) {
  auto a = Join("a"), b = Join("b"), c = Join("c");
  c->Send({});
  c->Finish(OkStatus());
  b->Send({});
  b->Finish(OkStatus());
  EXPECT_EQ(log_, "");
  EXPECT_EQ(answers_[2]->responses(), 0);
  a->Send({});
  a->Finish(OkStatus());
  EXPECT_EQ(log_, "a b c ");
  EXPECT_EQ(answers_[2]->responses(), 1);
  EXPECT_EQ(order_->held_count(), 0u);
}

TEST_F(ResponseOrderTest, AFailureKeepsItsPlace) {
  auto a = Join("a"), b = Join("b");
  b->Finish(Internal("broken"));
  EXPECT_EQ(log_, "");
  a->Finish(OkStatus());
  EXPECT_EQ(log_, "a b! ");
}

TEST_F(ResponseOrderTest, ARefusedOrCancelledRequestIsAnsweredAtOnce_AndBlocksNobody) {
  auto a = Join("a"), b = Join("b"), c = Join("c");
  b->Finish(Unavailable("full"));
  EXPECT_EQ(log_, "b! ");
  a->Finish(Cancelled("gone"));
  c->Finish(OkStatus());
  EXPECT_EQ(log_, "b! a! c ");
}

TEST_F(ResponseOrderTest, PassesCancellationOn) {
  auto a = Join("a");
  EXPECT_FALSE(a->Cancelled());
  answers_[0]->Cancel();
  EXPECT_TRUE(a->Cancelled());
  a->Finish(OkStatus());
}

TEST_F(ResponseOrderTest, KeepsTheOrder_WhenManyThreadsAnswer) {
  constexpr int kThreads = 4, kRequests = 2000;
  std::vector<std::unique_ptr<ResponseSink>> sinks;
  std::vector<int> answered;  // guarded by the order itself: one thread delivers at a time
  for (int i = 0; i < kRequests; ++i) {
    sinks.push_back(order_->Join(std::make_unique<FakeSink>(
        std::make_shared<Answer>(), [&answered, i](const Status&) { answered.push_back(i); })));
  }
  std::barrier start(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      start.arrive_and_wait();
      for (int i = t; i < kRequests; i += kThreads) {
        sinks[static_cast<std::size_t>(i)]->Finish(OkStatus());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ASSERT_EQ(answered.size(), static_cast<std::size_t>(kRequests));
  EXPECT_TRUE(std::is_sorted(answered.begin(), answered.end()));
}

}  // namespace
}  // namespace headrace::engine
