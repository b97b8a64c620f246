// A fixed number of threads that run tasks which may block.
#ifndef HEADRACE_REPOSITORY_WORKER_POOL_H_
#define HEADRACE_REPOSITORY_WORKER_POOL_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace headrace::repository {

// Thread-safe. Tasks start in the order in which they were posted and must not throw. Tasks may
// post tasks, also while the pool is being destroyed: the destructor runs everything that is
// posted, then joins.
class WorkerPool {
 public:
  // At least one thread; `name` is shown by ps and top.
  WorkerPool(std::string name, std::size_t thread_count);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void Post(std::function<void()> task);

 private:
  void Run(std::size_t index);

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;  // guarded by mutex_
  std::size_t running_ = 0;                  // guarded by mutex_
  bool stopping_ = false;                    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_WORKER_POOL_H_
