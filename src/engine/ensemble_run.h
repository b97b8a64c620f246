// One request on its way through an ensemble: the mechanism around EnsembleState.
#ifndef HEADRACE_ENGINE_ENSEMBLE_RUN_H_
#define HEADRACE_ENGINE_ENSEMBLE_RUN_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/ensemble.h"
#include "engine/ensemble_state.h"
#include "engine/request.h"

namespace headrace::engine {

// Lives as long as the request or one of its steps does. Thread-safe: the steps report from the
// threads that ran them.
//
// Whatever is to be done (submit a step, pass a response on, end the request) is done by one thread
// at a time, which takes it from the state; others leave it to that thread. So the request's sink
// sees one call at a time, no lock is held over a call, and steps that end while they are submitted
// do not nest.
//
// The first step that fails ends the request, and the steps that still run count as cancelled.
class EnsembleRun : public std::enable_shared_from_this<EnsembleRun> {
 public:
  // The references are parts of the request's model.
  static void Start(const EnsemblePlan& plan, BlockPool& pool,
                    std::unique_ptr<InferRequest> request,
                    std::shared_ptr<const EnsemblePins> pins);

 private:
  class StepSink;
  class Times;
  struct Private {};
  using Lock = std::unique_lock<std::mutex>;

 public:
  EnsembleRun(Private, const EnsemblePlan& plan, BlockPool& pool,
              std::unique_ptr<InferRequest> request, std::shared_ptr<const EnsemblePins> pins);

 private:
  void OnResponse(std::size_t step, std::uint64_t iteration, InferResponse response);
  void OnEnd(std::size_t step, Status status);
  bool Cancelled();
  // Does what is to be done, unless another thread is at it.
  void Pump(Lock lock);
  // One thing of it; false when there is nothing.
  bool DoOne(Lock& lock);
  void Submit(EnsembleState::Start start);
  void End(Lock& lock, Status status, FailureReason reason);
  // Back-pressure: blocks a decoupled step's thread while a step behind it has enough to do.
  void WaitForRoom(Lock& lock, std::size_t step);
  bool HasRoom(std::size_t step) const;
  Status Deadlock() const;

  const EnsemblePlan& plan_;
  BlockPool& pool_;
  const std::unique_ptr<InferRequest> request_;  // its tensors have moved into the state
  const ModelHandle model_;
  const std::shared_ptr<const EnsemblePins> pins_;
  std::shared_ptr<Times> times_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  EnsembleState state_;
  std::vector<std::size_t> running_;  // of each step
  std::size_t running_total_ = 0;
  std::optional<std::thread::id> pumping_;
  Status failure_;
  bool ended_ = false;  // the request has its end, or gets it now
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_ENSEMBLE_RUN_H_
