#include "base/task_threads.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>

namespace headrace {
namespace {

class Call final : public TaskThreads::Task {
 public:
  explicit Call(std::function<void()> call) : call_(std::move(call)) {}
  void Run() override { call_(); }

 private:
  std::function<void()> call_;
};

bool Submit(TaskThreads& threads, std::function<void()> call) {
  std::unique_ptr<TaskThreads::Task> task = std::make_unique<Call>(std::move(call));
  const bool taken = threads.Submit(task);
  EXPECT_EQ(taken, task == nullptr);
  return taken;
}

TEST(TaskThreadsTest, RunsTasksBesideEachOther) {
  std::promise<void> first, second;
  TaskThreads threads("tasks", 2, 8);  // ends before what its tasks use
  ASSERT_TRUE(Submit(threads, [&] {
    first.set_value();
    second.get_future().wait();
  }));
  ASSERT_TRUE(Submit(threads, [&] {
    first.get_future().wait();
    second.set_value();
  }));
}

TEST(TaskThreadsTest, RefusesWhatIsTooMuch) {
  std::promise<void> begun, open;
  TaskThreads threads("tasks", 1, 2);
  std::shared_future<void> opened = open.get_future().share();
  ASSERT_TRUE(Submit(threads, [&begun, opened] {
    begun.set_value();
    opened.wait();
  }));
  begun.get_future().wait();
  EXPECT_TRUE(Submit(threads, [] {}));
  EXPECT_TRUE(Submit(threads, [] {}));
  EXPECT_FALSE(Submit(threads, [] {}));
  EXPECT_EQ(threads.waiting_count(), 2U);
  EXPECT_EQ(threads.refused_count(), 1U);
  open.set_value();
}

TEST(TaskThreadsTest, RunsWhatWaits_BeforeItEnds) {
  int count = 0;
  {
    TaskThreads threads("tasks", 1, 100);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(Submit(threads, [&count] { ++count; }));
    }
  }
  EXPECT_EQ(count, 100);
}

TEST(TaskThreadsTest, MayEndOnAThreadOfItsOwn) {
  auto threads = std::make_shared<TaskThreads>("tasks", 2, 2);
  std::promise<void> given, done;
  std::future<void> all_done = done.get_future();
  ASSERT_TRUE(Submit(*threads, [owner = threads, &given, &done]() mutable {
    given.get_future().wait();
    owner.reset();
    done.set_value();
  }));
  threads.reset();
  given.set_value();
  all_done.wait();
}

}  // namespace
}  // namespace headrace
