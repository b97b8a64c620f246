// One instance of a model and the thread that feeds it.
#ifndef HEADRACE_ENGINE_RUNNER_H_
#define HEADRACE_ENGINE_RUNNER_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "engine/backend.h"
#include "engine/batch_observer.h"
#include "engine/batch_source.h"
#include "engine/health_board.h"
#include "engine/instance_placer.h"
#include "engine/model.h"
#include "engine/rate_limiter.h"
#include "engine/request_queue.h"
#include "engine/scheduler.h"
#include "engine/split_retry.h"
#include "engine/statistics.h"

namespace headrace::engine {

// Owns the instance. Borrows the queue and the statistics, which must outlive the thread. The
// thread pops a batch, executes it, and so on until the queue is closed and empty; it ends by
// itself then, or when it is retired; the destructor joins it. While the instance is not ready the
// thread waits, and leaves the queue to others.
//
// An instance that can have a second batch on its way (batch_source.h) is offered what comes after
// the one that it executes, while it is the model's only one: whatever it takes would have had to
// wait for it anyway, so that nobody's turn changes, and no request can wait behind another that
// waits for it. Never where a rate limiter counts executions.
class Model::Runner : private BatchSource {
 public:
  struct Target {
    Scheduler* queue;
    ModelStatistics* statistics;
    BatchObserverSlot* observer;
    HealthBoard* health;
    std::string model_name;
    std::uint32_t batch_retry_credit = 0;  // 0: failed batches are not tried again
    RequestQueue* ahead = nullptr;         // `queue`, where batches may be taken ahead; null: not
  };
  // The instance and the cores that it has.
  struct Placed {
    std::unique_ptr<Instance> instance;
    InstancePlacement placement;
    InstancePlacer::Lease lease;
  };

  // `turns`: what the rate limiter lets it execute by; null: whenever it wants.
  Runner(Placed placed, Target target, std::unique_ptr<RateLimiter::Seat> turns);
  ~Runner() override;
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Starts the thread, bound as the lease says and named `name` cut to 15 bytes. A passive instance
  // never gets one.
  void Start(std::string name);
  // Makes the thread end after the batch that it executes, if any, and take the instance with it.
  // The queue must be roused afterwards.
  void Retire();
  // Whether a retired runner has ended: its destructor waits for nothing then.
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  const InstancePlacement& placement() const { return placement_; }
  // Not for one that was retired.
  InstanceFacts Facts() const;
  bool IsCurrentThread() const { return thread_.get_id() == std::this_thread::get_id(); }

 private:
  void Run();
  void Execute(Batch batch);
  // The same, and tells the observer.
  void ExecuteObserved(Batch batch, BatchObserver& observer);
  // A batch is about to be executed: counts and traces it.
  void Announce(const Batch& batch);
  std::optional<Batch> TryNext() override;

  std::unique_ptr<Instance> instance_;
  PipelinedInstance* pipelined_ = nullptr;  // the same; null: it gets one batch at a time
  const InstancePlacement placement_;
  InstancePlacer::Lease lease_;
  const Target target_;
  const std::unique_ptr<RateLimiter::Seat> turns_;  // null: it executes whenever it wants
  SplitRetry retry_;
  std::size_t seat_ = 0;                       // in the queue
  std::shared_ptr<HealthBoard::Seat> health_;  // null until Start, and of a passive instance
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_RUNNER_H_
