// The requests of one execution that failed, before their clients hear of it.
#ifndef HEADRACE_ENGINE_FAILED_REQUESTS_H_
#define HEADRACE_ENGINE_FAILED_REQUESTS_H_

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/status.h"
#include "engine/request.h"

namespace headrace::engine {

// Thread-safe: a backend may give up requests from threads of its own while it executes. Lives as
// long as the execution.
class FailedRequests {
 public:
  struct Failed {
    std::unique_ptr<InferRequest> request;  // not finished, and nothing was sent for it
    Status error;
  };

  void Add(std::unique_ptr<InferRequest> request, Status error) {
    std::lock_guard lock(mutex_);
    failed_.push_back({std::move(request), std::move(error)});
  }
  std::vector<Failed> TakeAll() {
    std::lock_guard lock(mutex_);
    return std::exchange(failed_, {});
  }

 private:
  std::mutex mutex_;  // guards failed_
  std::vector<Failed> failed_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_FAILED_REQUESTS_H_
