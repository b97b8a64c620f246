// The epoll of one sender, with a timer of nanoseconds.
#ifndef HEADRACE_LOAD_POLLER_H_
#define HEADRACE_LOAD_POLLER_H_

#include <sys/epoll.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace headrace::load {

// Hears about one descriptor. Called on the poller's thread; may remove itself or others.
class PollHandler {
 public:
  virtual ~PollHandler() = default;
  virtual void OnEvents(std::uint32_t epoll_events) = 0;
};

// One thread at a time. Not to be moved from within a handler.
class Poller {
 public:
  static Result<Poller> Make();

  // Lets the calling thread's waits end when they are due: the kernel otherwise lets them run over
  // by 50 us, so that it can gather them.
  static void SharpenTimers();

  // `events` are epoll's. The handler is borrowed until Remove.
  Status Add(int fd, std::uint32_t events, PollHandler& handler);
  Status Modify(int fd, std::uint32_t events, PollHandler& handler);
  // The handler is not called any more, not even for events that came together with the current
  // ones. Called before `fd` is closed.
  void Remove(int fd, PollHandler& handler);

  // Dispatches what is ready; waits for it until `until` at most (0 = does not wait, kNever = for
  // ever). Returns how many handlers were called.
  int Poll(Nanos until);
  // When the last Poll had its events; cheap.
  Nanos now() const { return now_; }

 private:
  explicit Poller(UniqueFd epoll);
  int Wait(Nanos until);

  UniqueFd epoll_;
  Nanos now_ = 0;
  std::vector<epoll_event> events_;
  int event_next_ = 0, event_count_ = 0;  // of events_, while Poll dispatches
  bool has_pwait2_ = true;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_POLLER_H_
