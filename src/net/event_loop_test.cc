#include "net/event_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "tensor/block_pool.h"

namespace headrace::net {
namespace {

class Counted final : public LoopTask {
 public:
  Counted(std::atomic<int>& ran, std::atomic<int>& destroyed) : ran_(ran), destroyed_(destroyed) {}
  ~Counted() override { destroyed_.fetch_add(1); }
  void Run() override { ran_.fetch_add(1); }

 private:
  std::atomic<int>& ran_;
  std::atomic<int>& destroyed_;
};

TEST(EventLoopTest, Post_RunsEachTaskOnce_FromManyThreads) {
  BlockPool pool;
  EventLoop loop("test", -1, pool, Clock::Real());
  ASSERT_TRUE(loop.Start().ok());
  std::atomic<int> ran = 0;
  std::atomic<int> destroyed = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5'000; ++i) {
        loop.Post(std::make_unique<Counted>(ran, destroyed));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  loop.Stop();
  EXPECT_EQ(ran, 20'000);
  EXPECT_EQ(destroyed, 20'000);
}

TEST(EventLoopTest, Post_WakesASleepingLoop_EveryTime) {
  BlockPool pool;
  EventLoop loop("test", -1, pool, Clock::Real());
  ASSERT_TRUE(loop.Start().ok());
  // Each round waits for its answer, so the loop is about to sleep, or asleep, when the next one
  // comes.
  for (int i = 0; i < 2'000; ++i) {
    std::promise<bool> in_loop;
    loop.PostFunction([&] { in_loop.set_value(loop.InLoopThread()); });
    ASSERT_TRUE(in_loop.get_future().get());
  }
  EXPECT_FALSE(loop.InLoopThread());
}

TEST(EventLoopTest, Post_DestroysTheTaskUnrun_AfterStop) {
  BlockPool pool;
  EventLoop loop("test", -1, pool, Clock::Real());
  ASSERT_TRUE(loop.Start().ok());
  loop.Stop();
  loop.Stop();
  std::atomic<int> ran = 0;
  std::atomic<int> destroyed = 0;
  loop.Post(std::make_unique<Counted>(ran, destroyed));
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(destroyed, 1);
}

TEST(EventLoopTest, Destruction_DestroysTasks_WhenTheLoopNeverStarted) {
  std::atomic<int> ran = 0;
  std::atomic<int> destroyed = 0;
  {
    BlockPool pool;
    EventLoop loop("test", -1, pool, Clock::Real());
    loop.Post(std::make_unique<Counted>(ran, destroyed));
  }
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
}  // namespace headrace::net
