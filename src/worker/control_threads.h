// Threads for what a worker asks of the server that takes long: loads and unloads of models.
#ifndef HEADRACE_WORKER_CONTROL_THREADS_H_
#define HEADRACE_WORKER_CONTROL_THREADS_H_

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

namespace headrace::worker {

// Thread-safe. One thread for each task, since one may wait for another: a model that a task loads
// may ask for a load itself. The destructor waits for all of them.
class ControlThreads {
 public:
  static constexpr std::size_t kCountMax = 64;

  ControlThreads() = default;
  ~ControlThreads();
  ControlThreads(const ControlThreads&) = delete;
  ControlThreads& operator=(const ControlThreads&) = delete;

  // False, and nothing done, when kCountMax tasks are under way.
  bool Run(std::function<void()> task);

 private:
  std::mutex mutex_;  // guards count_
  std::condition_variable ended_;
  std::size_t count_ = 0;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_CONTROL_THREADS_H_
