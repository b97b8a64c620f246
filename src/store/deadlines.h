// Things that are to be done at a time, unless they are called off before.
#ifndef HEADRACE_STORE_DEADLINES_H_
#define HEADRACE_STORE_DEADLINES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "engine/expiry_thread.h"

namespace headrace::store {

// Thread-safe; one thread. Whoever adds something must see to it that it can run until it was
// removed or this has gone: tasks hold weak pointers.
class Deadlines {
 public:
  using Task = std::function<void()>;
  struct Ticket {
    Nanos time = 0;
    std::uint64_t number = 0;  // 0: nothing was added
  };

  explicit Deadlines(const Clock& clock);

  // `task` runs on the thread, at or after `time`. It does not block.
  Ticket Add(Nanos time, Task task);
  // What has run, or runs now, is left alone.
  void Remove(const Ticket& ticket);
  std::size_t size() const;

 private:
  Nanos RunDue(Nanos now);

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::pair<Nanos, std::uint64_t>, Task> tasks_;
  std::uint64_t last_number_ = 0;
  engine::ExpiryThread thread_;  // last: it uses the others
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_DEADLINES_H_
