// Where a model's requests wait, and from where its instances take what they execute.
#ifndef HEADRACE_ENGINE_SCHEDULER_H_
#define HEADRACE_ENGINE_SCHEDULER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "engine/backend.h"
#include "engine/request.h"

namespace headrace::engine {

// Of a model that batches sequences. Counters count since the model was loaded.
struct SequenceFigures {
  std::uint64_t live = 0;     // sequences that have a slot
  std::uint64_t backlog = 0;  // that wait for one
  std::uint64_t started = 0;
  std::uint64_t ended = 0;      // by a request with the END flag, or by an unload
  std::uint64_t idled = 0;      // by the idle timeout
  std::uint64_t cancelled = 0;  // since the client of one of their requests had gone
  std::uint64_t expired = 0;    // in the backlog, by the timeout of one of their requests
};

// Thread-safe. Implemented by RequestQueue and SequenceScheduler.
class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // Takes the request; when refused finishes it with the reason. Stamps times.queued. Does not
  // block.
  virtual void Push(std::unique_ptr<InferRequest> request) = 0;

  // The place of one instance; before the first PopBatch for it.
  virtual std::size_t AddSeat() = 0;
  // Blocks until a batch is due for the instance of `seat`, which one thread calls. Nothing once
  // the scheduler is closed and has no more work for it, or once `retired` (may be null) is true
  // and nothing is bound to the instance: set it, then call RouseAll.
  virtual std::optional<Batch> PopBatch(std::size_t seat, const std::atomic<bool>* retired) = 0;
  // Makes every thread that waits in PopBatch look at its `retired`.
  virtual void RouseAll() = 0;

  // No more pushes; PopBatch hands out what is left without waiting for company, then nothing.
  virtual void Close() = 0;
  // Closed, and no thread waits for anything that still executes.
  virtual void Stop() = 0;
  // Finishes everything still queued with UNAVAILABLE `reason`; for a drain that ran out of time.
  virtual void Abandon(const std::string& reason) = 0;
  // From now on refuses everything that is pushed with UNAVAILABLE `reason`, after it has finished
  // everything still queued so; an empty reason: takes requests again.
  virtual void SetRefusal(const std::string& reason) = 0;

  // How long the oldest request may wait for company from now on, those that wait already among
  // them. Nothing where requests are not batched so.
  virtual void SetQueueDelay(Nanos /*delay*/) {}

  virtual std::size_t depth() const = 0;      // requests queued
  virtual std::size_t byte_size() const = 0;  // of their inputs
  // Nothing unless it batches sequences.
  virtual std::optional<SequenceFigures> sequence_figures() const { return std::nullopt; }
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SCHEDULER_H_
