// What HTTP/2 connections and streams of one loop wait for.
#ifndef HEADRACE_NET_HTTP2_TIMERS_H_
#define HEADRACE_NET_HTTP2_TIMERS_H_

#include <map>
#include <optional>

#include "base/clock.h"
#include "net/listener_options.h"
#include "net/timeout_list.h"

namespace headrace::net {

class TimerQueue;

// A deadline of any length. Disarmed when it dies.
class Timer {
 public:
  Timer() = default;
  virtual ~Timer() { Disarm(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  // The deadline has passed; the timer is disarmed. May destroy the timer.
  virtual void OnTimer() = 0;
  bool armed() const { return queue_ != nullptr; }
  void Disarm();

 private:
  friend class TimerQueue;
  TimerQueue* queue_ = nullptr;
  std::multimap<Nanos, Timer*>::iterator place_;
};

// Arming and disarming cost a tree operation each; for what differs from one to the next (the
// deadlines of calls). Not thread-safe.
class TimerQueue {
 public:
  void Arm(Timer& timer, Nanos deadline);
  Nanos NextDeadline() const { return timers_.empty() ? kNever : timers_.begin()->first; }
  // Runs those whose deadline is not after `now`.
  void Run(Nanos now);

 private:
  friend class Timer;
  std::multimap<Nanos, Timer*> timers_;
};

class Http2Stream;
class Http2Connection;

// Owners of the entries: connections in the first, streams in the others.
struct Http2Timers {
  explicit Http2Timers(const ListenerOptions& options);

  TimeoutList idle, keepalive, keepalive_answer, goaway, write;
  TimeoutList stream_body;   // a message or body stands still
  TimeoutList stream_write;  // what is sent stands still
  TimeoutList stream_stall;  // the same for streaming calls
  TimerQueue deadlines;

  Nanos NextDeadline();
  void Run(Nanos now);
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_HTTP2_TIMERS_H_
