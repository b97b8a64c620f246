// Runs operations on the same model one after the other, and those on different models side by
// side.
#ifndef HEADRACE_REPOSITORY_SERIAL_EXECUTOR_H_
#define HEADRACE_REPOSITORY_SERIAL_EXECUTOR_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "repository/worker_pool.h"

namespace headrace::repository {

// Thread-safe. An operation runs on the pool and is over when it calls the `finish` that it is
// given: exactly once, on any thread, so that it may spread over several tasks without holding a
// thread while it waits. Borrows the pool.
class SerialExecutor {
 public:
  using Finish = std::function<void()>;
  using Operation = std::function<void(Finish finish)>;

  explicit SerialExecutor(WorkerPool& pool) : pool_(pool) {}

  // False, and nothing is run, after Close.
  bool Submit(const std::string& key, Operation operation);
  // The same for several, by key: all have their places in the queues before the first one runs.
  bool SubmitAll(std::vector<std::pair<std::string, Operation>> operations);
  // No more operations; those submitted still run.
  void Close();
  // True once no operation is running or waiting; false if `timeout` (real time) ran out first.
  bool WaitUntilIdle(Nanos timeout);

 private:
  void Start(const std::string& key, Operation operation);
  void Finished(const std::string& key);

  WorkerPool& pool_;
  std::mutex mutex_;
  std::condition_variable idle_;
  // By key, while one of its operations runs: those that wait for it. Guarded by mutex_.
  std::unordered_map<std::string, std::deque<Operation>> waiting_;
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_SERIAL_EXECUTOR_H_
