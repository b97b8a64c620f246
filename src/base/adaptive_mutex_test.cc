#include "base/adaptive_mutex.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace headrace {
namespace {

TEST(AdaptiveMutex, Sections_ExcludeEachOther) {
  AdaptiveMutex mutex;
  int count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20'000; ++round) {
        std::lock_guard lock(mutex);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(count, 80'000);
}

TEST(AdaptiveMutex, TryLock_FailsWhileItIsTaken) {
  AdaptiveMutex mutex;
  ASSERT_TRUE(mutex.try_lock());
  std::thread([&mutex] { EXPECT_FALSE(mutex.try_lock()); }).join();
  mutex.unlock();
  std::lock_guard lock(mutex);
}

}  // namespace
}  // namespace headrace
