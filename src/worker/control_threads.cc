#include "worker/control_threads.h"

#include <thread>
#include <utility>

#include "base/thread.h"

namespace headrace::worker {

ControlThreads::~ControlThreads() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return count_ == 0; });
}

bool ControlThreads::Run(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (count_ == kCountMax) {
      return false;
    }
    ++count_;
  }
  std::thread([this, task = std::move(task)]() mutable {
    SetThreadName("worker_control");
    task();
    task = nullptr;  // what it holds ends before anybody thinks that it has
    std::lock_guard lock(mutex_);
    --count_;
    ended_.notify_all();
  }).detach();
  return true;
}

}  // namespace headrace::worker
