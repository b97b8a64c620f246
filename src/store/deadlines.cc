#include "store/deadlines.h"

namespace headrace::store {

Deadlines::Deadlines(const Clock& clock)
    : thread_("deadlines", clock, [this](Nanos now) { return RunDue(now); }) {}

Deadlines::Ticket Deadlines::Add(Nanos time, Task task) {
  Ticket ticket{time, 0};
  {
    const std::lock_guard lock(mutex_);
    ticket.number = ++last_number_;
    tasks_.emplace(std::pair(time, ticket.number), std::move(task));
  }
  thread_.LookBy(time);
  return ticket;
}

void Deadlines::Remove(const Ticket& ticket) {
  Task removed;  // what it holds goes outside of the lock
  const std::lock_guard lock(mutex_);
  if (const auto found = tasks_.find({ticket.time, ticket.number}); found != tasks_.end()) {
    removed = std::move(found->second);
    tasks_.erase(found);
  }
}

std::size_t Deadlines::size() const {
  const std::lock_guard lock(mutex_);
  return tasks_.size();
}

Nanos Deadlines::RunDue(Nanos now) {
  while (true) {
    Task task;
    {
      const std::lock_guard lock(mutex_);
      if (tasks_.empty() || tasks_.begin()->first.first > now) {
        return tasks_.empty() ? kNever : tasks_.begin()->first.first;
      }
      task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
    }
    task();
  }
}

}  // namespace headrace::store
