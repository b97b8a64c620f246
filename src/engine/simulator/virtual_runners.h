// A model's instances on a virtual clock: what RequestQueue::PopBatch and Model::Runner do, with
// events in place of sleep.
#ifndef HEADRACE_ENGINE_SIMULATOR_VIRTUAL_RUNNERS_H_
#define HEADRACE_ENGINE_SIMULATOR_VIRTUAL_RUNNERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "engine/dispatcher.h"
#include "engine/request.h"
#include "engine/simulator/agenda.h"
#include "engine/simulator/queue_under_test.h"

namespace headrace::engine::simulator {

using Requests = std::vector<std::unique_ptr<InferRequest>>;

// Runs the real queue and dispatcher. One thread. Borrows everything; the time is the agenda's.
class VirtualRunners {
 public:
  // What the simulations differ in. Runners are numbered from 0.
  class Host {
   public:
    virtual ~Host() = default;
    // Between a wake-up and the runner's look at the queue.
    virtual Nanos WakeLatency() = 0;
    // A planted bug: this wake-up does not reach its runner.
    virtual bool LosesWakeUp() { return false; }
    // A batch has left the queue.
    virtual void Took(std::size_t /*runner*/, const Requests& /*batch*/) {}
    // The runner executes: calls Done when it is free again.
    virtual void Execute(std::size_t runner, Requests batch) = 0;
    // The queue gave it up; it is to be finished.
    virtual void Dropped(InferRequest& request) = 0;
    virtual void Sleeps(std::size_t /*runner*/, Nanos /*until*/) {}
    virtual void Leaves(std::size_t /*runner*/) {}
  };

  // `ahead`: runners may take a batch while they execute one (PipelinedInstance).
  VirtualRunners(QueueUnderTest& queue, Agenda& agenda, std::size_t count, bool ahead, Host& host)
      : queue_(queue),
        agenda_(agenda),
        host_(host),
        ahead_(ahead),
        dispatcher_(queue),
        runners_(count),
        wanted_(count) {}

  // Every runner that is wanted comes to the queue at `time`.
  void Start(Nanos time);
  // So many of them are wanted from now on, at most all: others come at once, or leave after what
  // they execute. All, at first.
  void SetCount(std::size_t count);
  // Every runner that sleeps looks at the queue.
  void RouseAll();
  // Takes `request` when the result is kAccepted, and wakes a runner if one is needed.
  QueueCore::PushResult Push(std::unique_ptr<InferRequest>& request);
  // The runner has executed its batch.
  void Done(std::size_t runner);
  // Drops what has outstayed its timeout.
  void Expire();
  // The drain begins: runners leave when the queue is empty.
  void Close();

  const RunnerLot& lot() const { return dispatcher_.lot(); }
  int present() const { return present_; }

 private:
  struct Runner : RunnerLot::Parked {
    std::uint64_t sleep = 0;  // counts its sleeps, so that an old timer finds that it is over
    bool asleep = false;
    bool present = false;  // it executes, or will be at the queue again
  };

  void Come(Runner& runner, Nanos time);
  void Leave(Runner& runner);
  bool Wanted(const Runner& runner) const { return Number(runner) < wanted_; }
  void AtQueue(Runner& runner, bool woken);
  // What an instance does that can have a second batch on its way: it asks before it is through.
  Requests TakeAhead(Runner& runner);
  void Sleep(Runner& runner, Nanos until);
  void Wake(RunnerLot::Parked* parked);
  void Drop(QueueCore::RequestList& dropped);
  std::size_t Number(const Runner& runner) const {
    return static_cast<std::size_t>(&runner - runners_.data());
  }

  QueueUnderTest& queue_;
  Agenda& agenda_;
  Host& host_;
  const bool ahead_;
  Dispatcher<QueueUnderTest> dispatcher_;
  std::vector<Runner> runners_;
  std::size_t wanted_;  // the first of them
  int present_ = 0;
};

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_VIRTUAL_RUNNERS_H_
