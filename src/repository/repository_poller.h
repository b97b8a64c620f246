// The thread that looks at the repositories from time to time.
#ifndef HEADRACE_REPOSITORY_REPOSITORY_POLLER_H_
#define HEADRACE_REPOSITORY_REPOSITORY_POLLER_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace headrace::repository {

// Calls `look` on a thread of its own, `interval` after the last call has returned, until Stop.
class RepositoryPoller {
 public:
  RepositoryPoller(Nanos interval, std::function<void()> look);
  ~RepositoryPoller();
  RepositoryPoller(const RepositoryPoller&) = delete;
  RepositoryPoller& operator=(const RepositoryPoller&) = delete;

  // No look begins any more; waits for one that is under way. Idempotent.
  void Stop();

 private:
  void Run();

  const Nanos interval_;
  const std::function<void()> look_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_REPOSITORY_POLLER_H_
