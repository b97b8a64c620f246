#include "engine/simulator/virtual_runners.h"

#include <algorithm>
#include <utility>

namespace headrace::engine::simulator {

void VirtualRunners::Come(Runner& runner, Nanos time) {
  ++present_;
  runner.present = true;
  agenda_.At(time, [this, &runner] { AtQueue(runner, false); });
}

void VirtualRunners::Leave(Runner& runner) {
  host_.Leaves(Number(runner));
  runner.present = false;
  --present_;
}

void VirtualRunners::Start(Nanos time) {
  for (std::size_t i = 0; i < wanted_; ++i) {
    Come(runners_[i], time);
  }
}

void VirtualRunners::SetCount(std::size_t count) {
  const bool started = present_ > 0;
  wanted_ = std::min(count, runners_.size());
  for (std::size_t i = 0; started && i < wanted_; ++i) {
    if (!runners_[i].present) {
      Come(runners_[i], agenda_.now());
    }
  }
  if (started) {
    RouseAll();
  }
}

void VirtualRunners::RouseAll() {
  std::vector<RunnerLot::Parked*> parked;
  while (RunnerLot::Parked* runner = dispatcher_.Rouse()) {
    parked.push_back(runner);
  }
  for (RunnerLot::Parked* runner : parked) {
    Wake(runner);
  }
}

QueueCore::PushResult VirtualRunners::Push(std::unique_ptr<InferRequest>& request) {
  const auto pushed = dispatcher_.Push(request, agenda_.now());
  if (pushed.result == QueueCore::PushResult::kAccepted) {
    Wake(pushed.wake);
  }
  return pushed.result;
}

void VirtualRunners::Done(std::size_t runner) {
  if (ahead_ && Wanted(runners_[runner])) {
    if (Requests next = TakeAhead(runners_[runner]); !next.empty()) {
      host_.Execute(runner, std::move(next));
      return;
    }
  }
  AtQueue(runners_[runner], false);
}

void VirtualRunners::Expire() {
  QueueCore::Popped popped;
  queue_.Expire(agenda_.now(), popped);
  Drop(popped.dropped);
}

void VirtualRunners::Close() {
  while (RunnerLot::Parked* runner = dispatcher_.Close()) {
    Wake(runner);
  }
  queue_.Close();
}

void VirtualRunners::AtQueue(Runner& runner, bool woken) {
  for (;;) {
    if (!Wanted(runner)) {
      RunnerLot::Parked* other = dispatcher_.Leave(woken, agenda_.now());
      Leave(runner);
      Wake(other);
      return;
    }
    QueueCore::Popped popped;
    const auto step = dispatcher_.Pop(runner, std::exchange(woken, false), agenda_.now(), popped);
    Requests batch = Take(popped.batch);
    if (!batch.empty()) {
      host_.Took(Number(runner), batch);
    }
    Wake(step.wake);
    Drop(popped.dropped);
    if (!batch.empty()) {
      host_.Execute(Number(runner), std::move(batch));
      return;
    }
    if (step.closed) {
      Leave(runner);
      return;
    }
    if (step.parked) {
      Sleep(runner, step.sleep_until);
      return;
    }
  }
}

Requests VirtualRunners::TakeAhead(Runner& runner) {
  QueueCore::Popped popped;
  dispatcher_.PopAhead(agenda_.now(), popped);
  Requests batch = Take(popped.batch);
  if (!batch.empty()) {
    host_.Took(Number(runner), batch);
  }
  Drop(popped.dropped);
  return batch;
}

void VirtualRunners::Drop(QueueCore::RequestList& dropped) {
  for (const auto& request : Take(dropped)) {
    host_.Dropped(*request);
  }
}

void VirtualRunners::Sleep(Runner& runner, Nanos until) {
  runner.asleep = true;
  const std::uint64_t sleep = ++runner.sleep;
  host_.Sleeps(Number(runner), until);
  if (until == kNever) {
    return;
  }
  agenda_.At(std::max(until, agenda_.now()), [this, &runner, sleep] {
    if (runner.asleep && runner.sleep == sleep && dispatcher_.TimedOut(runner)) {
      runner.asleep = false;
      AtQueue(runner, false);
    }
  });
}

void VirtualRunners::Wake(RunnerLot::Parked* parked) {
  if (parked == nullptr || host_.LosesWakeUp()) {
    return;
  }
  auto& runner = *static_cast<Runner*>(parked);
  runner.asleep = false;
  const Nanos latency = host_.WakeLatency();
  agenda_.At(agenda_.now() + latency, [this, &runner] { AtQueue(runner, true); });
}

}  // namespace headrace::engine::simulator
