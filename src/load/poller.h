// The epoll of one sender, with a timer of nanoseconds.
#ifndef HEADRACE_LOAD_POLLER_H_
#define HEADRACE_LOAD_POLLER_H_

#include <cstdint>

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

// One thread only.
class Poller {
 public:
  static Result<Poller> Make();

  // `events` are epoll's. The handler is borrowed until Remove.
  Status Add(int fd, std::uint32_t events, PollHandler& handler);
  Status Modify(int fd, std::uint32_t events, PollHandler& handler);
  void Remove(int fd, PollHandler& handler);

  // Dispatches what is ready; waits for it until `until` at most (0 = does not wait, kNever = for
  // ever). Returns how many handlers were called.
  int Poll(Nanos until);
  // When the last Poll returned; cheap.
  Nanos now() const { return now_; }

 private:
  explicit Poller(UniqueFd epoll) : epoll_(std::move(epoll)) {}

  UniqueFd epoll_;
  Nanos now_ = 0;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_POLLER_H_
