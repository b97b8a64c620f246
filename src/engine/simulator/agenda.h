// What is going to happen in a simulation.
#ifndef HEADRACE_ENGINE_SIMULATOR_AGENDA_H_
#define HEADRACE_ENGINE_SIMULATOR_AGENDA_H_

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>

#include "base/clock.h"

namespace headrace::engine::simulator {

// Actions in the order of their time, and of their making at one time.
class Agenda {
 public:
  void At(Nanos time, std::function<void()> action) {
    events_.push({time, ++made_, std::move(action)});
  }
  bool empty() const { return events_.empty(); }
  Nanos next_time() const { return events_.top().time; }
  // The time of the action that runs, or ran last.
  Nanos now() const { return now_; }
  void RunNext() {
    now_ = events_.top().time;
    std::function<void()> action = std::move(const_cast<Event&>(events_.top()).action);
    events_.pop();
    action();
  }

 private:
  struct Event {
    Nanos time;
    std::uint64_t order;
    std::function<void()> action;
    bool operator<(const Event& other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };
  std::priority_queue<Event> events_;
  std::uint64_t made_ = 0;
  Nanos now_ = 0;
};

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_AGENDA_H_
