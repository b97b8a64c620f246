#include "repository/serial_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <vector>

namespace headrace::repository {
namespace {

TEST(SerialExecutorTest, OperationsOfOneKey_FollowOneAnother) {
  WorkerPool pool("test", 4);
  SerialExecutor executor(pool);
  std::vector<int> order;  // written by one operation at a time
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(executor.Submit("a", [&, i](SerialExecutor::Finish finish) {
      overlapped = overlapped || inside.fetch_add(1) != 0;
      order.push_back(i);
      // The end comes from another task.
      pool.Post([&inside, finish = std::move(finish)] {
        inside.fetch_sub(1);
        finish();
      });
    }));
  }
  ASSERT_TRUE(executor.WaitUntilIdle(60 * kSecond));
  EXPECT_FALSE(overlapped);
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(SerialExecutorTest, OperationsOfDifferentKeys_RunSideBySide) {
  WorkerPool pool("test", 2);
  SerialExecutor executor(pool);
  std::latch both(2);
  for (const char* key : {"a", "b"}) {
    executor.Submit(key, [&both](SerialExecutor::Finish finish) {
      both.arrive_and_wait();
      finish();
    });
  }
  EXPECT_TRUE(executor.WaitUntilIdle(60 * kSecond));
}

TEST(SerialExecutorTest, Close_RefusesNewOnes_KeepsTheRest) {
  WorkerPool pool("test", 1);
  SerialExecutor executor(pool);
  std::latch go(1);
  std::atomic<int> ran{0};
  for (int i = 0; i < 3; ++i) {
    executor.Submit("a", [&](SerialExecutor::Finish finish) {
      go.wait();
      ++ran;
      finish();
    });
  }
  executor.Close();
  EXPECT_FALSE(executor.Submit("b", [](SerialExecutor::Finish) {}));
  EXPECT_FALSE(executor.WaitUntilIdle(0));
  go.count_down();
  EXPECT_TRUE(executor.WaitUntilIdle(60 * kSecond));
  EXPECT_EQ(ran, 3);
}

TEST(WorkerPoolTest, Destruction_RunsWhatIsPosted_AlsoByTasks) {
  std::atomic<int> ran{0};
  {
    WorkerPool pool("test", 2);
    for (int i = 0; i < 50; ++i) {
      pool.Post([&] {
        ++ran;
        pool.Post([&ran] { ++ran; });
      });
    }
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace headrace::repository
