#include "repository/worker_pool.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/thread.h"

namespace headrace::repository {

WorkerPool::WorkerPool(std::string name, std::size_t thread_count) : name_(std::move(name)) {
  threads_.reserve(std::max<std::size_t>(thread_count, 1));
  for (std::size_t i = 0; i < std::max<std::size_t>(thread_count, 1); ++i) {
    threads_.emplace_back([this, i] { Run(i); });
  }
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void WorkerPool::Post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void WorkerPool::Run(std::size_t index) {
  SetThreadName(fmt::format("{}_{}", name_, index));
  std::unique_lock lock(mutex_);
  while (true) {
    // A task that still runs may post another one: only an idle pool is at its end.
    wake_.wait(lock, [this] { return !tasks_.empty() || (stopping_ && running_ == 0); });
    if (tasks_.empty()) {
      break;
    }
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    ++running_;
    lock.unlock();
    task();
    task = nullptr;  // what it holds goes before the lock comes back
    lock.lock();
    --running_;
    if (stopping_ && running_ == 0) {
      wake_.notify_all();
    }
  }
}

}  // namespace headrace::repository
