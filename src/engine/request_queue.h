// Requests of one model version that wait for an instance.
#ifndef HEADRACE_ENGINE_REQUEST_QUEUE_H_
#define HEADRACE_ENGINE_REQUEST_QUEUE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "engine/backend.h"
#include "engine/batch_policy.h"
#include "engine/queue_core.h"
#include "engine/queue_policy.h"
#include "engine/request.h"
#include "engine/scheduler.h"

namespace headrace::engine {

// Thread-safe. Requests are FIFO per shape key, and requests of different shape do not break each
// other's batches (queue_core.h says which key goes next, and what priorities change). Requests
// whose client has gone are dropped (CANCELLED) at pop, before execution, and never count into a
// batch. What outstays its timeout under a policy that rejects is answered when it expires, also
// while every instance is busy: by a thread of the queue's own, which only such policies have.
//
// Instance threads pull: PopBatch parks the thread until the policy dispatches. A push takes one
// short mutex and wakes at most one parked thread, and only if the policy can dispatch or a thread
// must watch a new deadline. A thread that finds work neither parks nor makes a system call.
//
// Cost (bench/engine_queue.cc, two shared cores): push and pop take 21 to 27 ns from 1 to 10,000
// waiting requests of one shape, and 40 to 71 ns with 1,000 shapes (P10). Submit to Finish through
// a model costs 0.34 to 0.67 us of CPU with 1,024 to 16 requests under way, when hardly any thread
// parks, and 2.1 us with one at a time, where each request pays for one futex wake-up.
//
// The decisions are QueueCore's (which requests) and RunnerLot's (which runner), put together by
// Dispatcher; here are the mutex and the sleeping.
class RequestQueue final : public Scheduler {
 public:
  RequestQueue(BatchPolicyOptions policy, QueueLimits limits, const Clock& clock,
               QueuePolicies policies = {});
  ~RequestQueue() override;  // requires: closed or empty

  void Push(std::unique_ptr<InferRequest> request) override;

  // Every instance takes from the same queue: there are no seats. Cancelled requests are finished
  // here, outside the lock.
  std::size_t AddSeat() override { return 0; }
  std::optional<Batch> PopBatch(std::size_t, const std::atomic<bool>* retired) override {
    return PopBatch(retired);
  }
  std::optional<Batch> PopBatch(const std::atomic<bool>* retired = nullptr);
  // For a thread that still executes a batch: the next one, if it is due and no other thread is
  // there to take it. Does not block.
  std::optional<Batch> PopAhead();
  void RouseAll() override;

  void Close() override;
  void Stop() override { Close(); }
  void Abandon(const std::string& reason) override;
  void SetRefusal(const std::string& reason) override;
  void SetQueueDelay(Nanos delay) override;

  std::size_t depth() const override;
  std::size_t byte_size() const override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_REQUEST_QUEUE_H_
