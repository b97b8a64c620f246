#include "net/event_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "net/event_loop_impl.h"
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

class CountingSource final : public EventSource {
 public:
  explicit CountingSource(std::atomic<int>& calls) : calls_(calls) {}
  void OnEvents(std::uint32_t) override { ++calls_; }

 private:
  std::atomic<int>& calls_;
};

TEST(EventLoopTest, Remove_EndsTheEvents_ThoughACopyOfTheDescriptorLivesOn) {
  BlockPool pool;
  EventLoop loop("test", -1, pool, Clock::Real());
  ASSERT_TRUE(loop.Start().ok());
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const UniqueFd peer(ends[1]);
  UniqueFd watched(ends[0]);
  const UniqueFd copy(::dup(watched.get()));  // as a child process has it between fork and exec
  std::atomic<int> calls = 0;
  const auto in_loop = [&loop](const std::function<void()>& function) {
    std::promise<void> done;
    loop.PostFunction([&] {
      function();
      done.set_value();
    });
    done.get_future().get();
  };
  CountingSource source(calls);
  in_loop([&] { ASSERT_TRUE(loop.impl().Add(watched.get(), EPOLLIN | EPOLLET, source).ok()); });
  in_loop([&] {
    loop.impl().Remove(watched.get());
    watched.Reset();
  });
  ASSERT_EQ(::write(peer.get(), "x", 1), 1);
  in_loop([] {});  // this turn would bring the event
  EXPECT_EQ(calls, 0);
  loop.Stop();
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
