// Stands in for src/engine/batch_observer.h where bench/batch_observer.cc wants an engine that has
// no hook: nobody can watch, and nothing is looked at behind a batch.
#ifndef HEADRACE_ENGINE_BATCH_OBSERVER_H_
#define HEADRACE_ENGINE_BATCH_OBSERVER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/clock.h"

namespace headrace::engine {

struct ObservedBatch {
  struct Request {
    Nanos received = 0;
    Nanos queued = 0;
    std::int64_t batch_size = 1;
  };
  std::string_view instance{};
  std::int64_t thread_id = 0;
  Nanos formed = 0;
  Nanos started = 0;
  Nanos ended = 0;
  std::span<const Request> requests{};
};

class BatchObserver {
 public:
  virtual ~BatchObserver() = default;
  virtual void OnBatch(const ObservedBatch& batch) = 0;
};

class BatchObserverSlot {
 public:
  void Set(std::shared_ptr<BatchObserver>) {}
  static constexpr BatchObserver* Get() { return nullptr; }
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_BATCH_OBSERVER_H_
