// Which parked runner is woken when. Pure bookkeeping, like QueueCore: not thread-safe, no clock,
// nothing blocks.
//
// At most one runner sleeps with a timer (the watcher); the others are parked without one. The most
// recently parked runner is woken first: its caches are the warmest. A woken runner counts as
// `waking` until it has come back to the queue, so that a burst of pushes wakes no more runners
// than it has work for; whoever pops asks again for what is left.
#ifndef HEADRACE_ENGINE_RUNNER_LOT_H_
#define HEADRACE_ENGINE_RUNNER_LOT_H_

#include <cstddef>

#include "base/clock.h"
#include "base/intrusive_list.h"

namespace headrace::engine {

class RunnerLot {
 public:
  // A runner's place in the lot. Derive what wakes it.
  struct Parked : ListNode<> {};

  // Parks `runner`, whose TryPop gave nothing before `wait_until`. Returns the time until which it
  // must sleep: `wait_until` when it is the watcher now, else kNever.
  Nanos Park(Parked& runner, Nanos wait_until) {
    if (wait_until != kNever && watcher_ == nullptr) {
      watcher_ = &runner;
      return wait_until;
    }
    idle_.PushFront(runner);
    return kNever;
  }

  // The runner to wake now, if any, after a push or a pop. It is out of the lot and counts as
  // waking.
  template <typename Queue>
  Parked* Choose(const Queue& queue, Nanos now) {
    if (queue.empty()) {
      return nullptr;
    }
    if (queue.Due(now)) {
      return queue.HasWorkBeyond(waking_) ? ChooseAny() : nullptr;
    }
    // Requests wait for company: somebody must watch the time.
    return watcher_ == nullptr && waking_ == 0 ? ChooseIdle() : nullptr;
  }

  // Any parked runner, for closing.
  Parked* ChooseAny() {
    if (Parked* runner = ChooseIdle()) {
      return runner;
    }
    Parked* runner = watcher_;
    watcher_ = nullptr;
    waking_ += runner != nullptr ? 1 : 0;
    return runner;
  }

  // A woken runner is back at the queue.
  void Arrived() { --waking_; }
  // The runner's timer ran out. False when it was chosen at the same time: then a wake-up is on its
  // way to it.
  bool TimedOut(Parked& runner) {
    if (watcher_ != &runner) {
      return false;
    }
    watcher_ = nullptr;
    return true;
  }

  std::size_t idle_count() const { return idle_.size() + (watcher_ != nullptr ? 1 : 0); }
  std::size_t waking_count() const { return waking_; }
  bool has_watcher() const { return watcher_ != nullptr; }

 private:
  Parked* ChooseIdle() {
    if (idle_.empty()) {
      return nullptr;
    }
    ++waking_;
    return &idle_.PopFront();
  }

  IntrusiveList<Parked> idle_;
  Parked* watcher_ = nullptr;
  std::size_t waking_ = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_RUNNER_LOT_H_
