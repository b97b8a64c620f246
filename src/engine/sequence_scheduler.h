// Batches the requests of sequences: what RequestQueue is for requests without order.
#ifndef HEADRACE_ENGINE_SEQUENCE_SCHEDULER_H_
#define HEADRACE_ENGINE_SEQUENCE_SCHEDULER_H_

#include <memory>
#include <string>

#include "base/clock.h"
#include "engine/queue_core.h"
#include "engine/scheduler.h"
#include "engine/sequence_options.h"

namespace headrace::engine {

class ExpiryThread;

// Thread-safe. The decisions are SequenceCore's; here are the mutex, the sleeping, and what a
// request gets before it executes: the control tensors, the sequence's implicit state and its
// SequenceStep. With the direct strategy an empty slot below the highest one in use gets a
// placeholder: a request with the inputs of another one and READY false, whose answer goes nowhere.
//
// One thread of its own ends sequences that are idle, or in the backlog, for too long.
//
// Wake-ups: a push wakes the thread of the sequence's instance when it is parked; there is one
// thread that may execute the request, so nothing is to be chosen.
class SequenceScheduler final : public Scheduler {
 public:
  SequenceScheduler(SequenceOptions options, QueueLimits limits, std::string model_name,
                    const Clock& clock);
  ~SequenceScheduler() override;  // requires: no thread in PopBatch

  void Push(std::unique_ptr<InferRequest> request) override;
  std::size_t AddSeat() override;
  std::optional<Batch> PopBatch(std::size_t seat, const std::atomic<bool>* retired) override;
  void RouseAll() override;
  void Close() override;
  void Stop() override;
  void Abandon(const std::string& reason) override;
  void SetRefusal(const std::string& reason) override;
  std::size_t depth() const override;
  std::size_t byte_size() const override;
  std::optional<SequenceFigures> sequence_figures() const override;

 private:
  class Impl;
  class Step;
  std::shared_ptr<Impl> impl_;           // steps that backends hold keep it alive
  std::unique_ptr<ExpiryThread> timer_;  // borrows impl_
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SEQUENCE_SCHEDULER_H_
