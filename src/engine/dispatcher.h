// What a push and a pop mean for the runners: the queue's decisions and the lot's, in the one order
// that loses no wake-up.
#ifndef HEADRACE_ENGINE_DISPATCHER_H_
#define HEADRACE_ENGINE_DISPATCHER_H_

#include <memory>

#include "base/clock.h"
#include "engine/queue_core.h"
#include "engine/request.h"
#include "engine/runner_lot.h"

namespace headrace::engine {

// Borrows the queue. Not thread-safe and never blocks: RequestQueue calls it under its mutex and
// does the waking and sleeping outside of it; the simulator calls it with a virtual clock. `Queue`
// is QueueCore, or a broken one in the simulator's own test.
template <typename Queue>
class Dispatcher {
 public:
  using Parked = RunnerLot::Parked;

  explicit Dispatcher(Queue& queue) : queue_(queue) {}

  struct Pushed {
    QueueCore::PushResult result = QueueCore::PushResult::kAccepted;
    Parked* wake = nullptr;  // to be woken by the caller
  };
  // Takes `request` when the result is kAccepted.
  Pushed Push(std::unique_ptr<InferRequest>& request, Nanos now) {
    Pushed pushed{.result = queue_.Push(request, now)};
    if (pushed.result == QueueCore::PushResult::kAccepted) {
      pushed.wake = lot_.Choose(queue_, now);
    }
    return pushed;
  }

  struct Step {
    Parked* wake = nullptr;      // to be woken by the caller
    bool parked = false;         // the runner is in the lot: it sleeps until it is woken, or
    Nanos sleep_until = kNever;  // until then, and calls TimedOut
    bool closed = false;         // nothing will come any more
  };
  // The runner `self` wants work; `woken` when a wake-up brought it here. At most one of
  // popped.batch, parked and closed; popped.dropped may come with a batch or alone, and then the
  // runner calls again.
  Step Pop(Parked& self, bool woken, Nanos now, QueueCore::Popped& popped) {
    if (woken) {
      lot_.Arrived();
    }
    Step step;
    queue_.TryPop(now, popped);
    if (!popped.batch.empty() || !popped.dropped.empty()) {
      step.wake = lot_.Choose(queue_, now);
    } else if (queue_.closed()) {
      step.closed = true;
    } else {
      step.sleep_until = lot_.Park(self, popped.wait_until);
      step.parked = true;
    }
    return step;
  }

  // A runner that still executes asks for more: it gets what is due, unless another runner is there
  // to take it. popped.dropped may come with it or alone.
  void PopAhead(Nanos now, QueueCore::Popped& popped) {
    if (lot_.idle_count() == 0 && lot_.waking_count() == 0) {
      queue_.TryPop(now, popped);
    }
  }

  // The runner calls no more, though the queue is open; `woken` as in Pop. A runner to be woken by
  // the caller, which does what this one was wanted for.
  Parked* Leave(bool woken, Nanos now) {
    if (woken) {
      lot_.Arrived();
    }
    return lot_.Choose(queue_, now);
  }
  // A parked runner to be woken by the caller, so that it comes and looks; null when none is
  // parked.
  Parked* Rouse() { return lot_.ChooseAny(); }

  // False when the runner was chosen as its timer ran out: its wake-up is on the way, and it must
  // wait for it.
  bool TimedOut(Parked& self) { return lot_.TimedOut(self); }

  // Closes the queue. A runner to wake; the caller repeats until there is none.
  Parked* Close() {
    queue_.Close();
    return lot_.ChooseAny();
  }

  const RunnerLot& lot() const { return lot_; }

 private:
  Queue& queue_;
  RunnerLot lot_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_DISPATCHER_H_
