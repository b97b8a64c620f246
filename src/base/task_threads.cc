#include "base/task_threads.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread.h"

namespace headrace {

struct TaskThreads::State {
  std::size_t waiting_max = 0;
  mutable std::mutex mutex;  // guards what follows
  std::condition_variable changed;
  std::deque<std::unique_ptr<Task>> waiting;
  std::uint64_t refused = 0;
  bool ended = false;
  std::vector<std::thread> threads;
};

TaskThreads::TaskThreads(const std::string& name, std::size_t thread_count, std::size_t waiting_max)
    : state_(std::make_shared<State>()) {
  state_->waiting_max = waiting_max;
  for (std::size_t i = 0; i < thread_count; ++i) {
    state_->threads.emplace_back([state = state_, name] {
      SetThreadName(name);
      Work(*state);
    });
  }
}

TaskThreads::~TaskThreads() {
  {
    std::lock_guard lock(state_->mutex);
    state_->ended = true;
  }
  state_->changed.notify_all();
  for (std::thread& thread : state_->threads) {
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

bool TaskThreads::Submit(std::unique_ptr<Task>& task) {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->waiting.size() >= state_->waiting_max) {
      ++state_->refused;
      return false;
    }
    state_->waiting.push_back(std::move(task));
  }
  state_->changed.notify_one();
  return true;
}

std::uint64_t TaskThreads::refused_count() const {
  std::lock_guard lock(state_->mutex);
  return state_->refused;
}

std::size_t TaskThreads::waiting_count() const {
  std::lock_guard lock(state_->mutex);
  return state_->waiting.size();
}

void TaskThreads::Work(State& state) {
  for (;;) {
    std::unique_ptr<Task> task;
    {
      std::unique_lock lock(state.mutex);
      state.changed.wait(lock, [&state] { return state.ended || !state.waiting.empty(); });
      if (state.waiting.empty()) {
        return;
      }
      task = std::move(state.waiting.front());
      state.waiting.pop_front();
    }
    task->Run();
  }
}

}  // namespace headrace
