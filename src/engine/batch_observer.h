// Who wants to see the batches of a model that serves.
#ifndef HEADRACE_ENGINE_BATCH_OBSERVER_H_
#define HEADRACE_ENGINE_BATCH_OBSERVER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>

#include "base/clock.h"

namespace headrace::engine {

// One execution. All stamps on the monotonic clock.
struct ObservedBatch {
  struct Request {
    Nanos received = 0;  // the first of its stamps
    Nanos queued = 0;
    std::int64_t batch_size = 1;
  };
  std::string_view instance{};
  std::int64_t thread_id = 0;  // of the system
  Nanos formed = 0;            // taken from the queue
  Nanos started = 0;           // given to the backend
  Nanos ended = 0;             // the backend is free again
  std::span<const Request> requests{};
};

// Thread-safe: called by all instances of a model, on their threads, behind each batch.
class BatchObserver {
 public:
  virtual ~BatchObserver() = default;
  virtual void OnBatch(const ObservedBatch& batch) = 0;
};

// Holds the observer of a model, if there is one. Thread-safe.
class BatchObserverSlot {
 public:
  // Null takes it away; a batch that is under way may still be told of.
  void Set(std::shared_ptr<BatchObserver> observer) {
    const std::lock_guard lock(mutex_);
    observer_ = std::move(observer);
    watched_.store(observer_ != nullptr, std::memory_order_relaxed);
  }
  // Null for nearly all batches, at the cost of one relaxed load.
  std::shared_ptr<BatchObserver> Get() const {
    if (!watched_.load(std::memory_order_relaxed)) {
      return nullptr;
    }
    const std::lock_guard lock(mutex_);
    return observer_;
  }

 private:
  std::atomic<bool> watched_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<BatchObserver> observer_;  // guarded by mutex_
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_BATCH_OBSERVER_H_
