#include "net/http2_timers.h"

#include <algorithm>

#include "net/http2_connection.h"
#include "net/http2_stream.h"

namespace headrace::net {
namespace {

// How long a client may take to answer the ping that goes with a notice of shutdown.
constexpr Nanos kGoawayTimeout = kSecond;

}  // namespace

void Timer::Disarm() {
  if (queue_ != nullptr) {
    queue_->timers_.erase(place_);
    queue_ = nullptr;
  }
}

void TimerQueue::Arm(Timer& timer, Nanos deadline) {
  timer.Disarm();
  if (deadline != kNever) {
    timer.place_ = timers_.emplace(deadline, &timer);
    timer.queue_ = this;
  }
}

void TimerQueue::Run(Nanos now) {
  while (NextDeadline() <= now) {
    Timer* timer = timers_.begin()->second;
    timer->Disarm();
    timer->OnTimer();
  }
}

Http2Timers::Http2Timers(const ListenerOptions& options)
    : idle(options.http2.idle_timeout),
      keepalive(options.http2.keepalive_time),
      keepalive_answer(options.http2.keepalive_timeout),
      goaway(kGoawayTimeout),
      write(options.limits.write_idle_timeout),
      stream_body(options.limits.body_idle_timeout),
      stream_write(options.limits.write_idle_timeout),
      stream_stall(options.http2.streaming_stall_timeout) {}

Nanos Http2Timers::NextDeadline() {
  return std::min({idle.NextDeadline(), keepalive.NextDeadline(), keepalive_answer.NextDeadline(),
                   goaway.NextDeadline(), write.NextDeadline(), stream_body.NextDeadline(),
                   stream_write.NextDeadline(), stream_stall.NextDeadline(),
                   deadlines.NextDeadline()});
}

void Http2Timers::Run(Nanos now) {
  while (TimeoutEntry* entry = idle.PopExpired(now)) {
    entry->Owner<Http2Connection>().OnIdle();
  }
  while (TimeoutEntry* entry = keepalive.PopExpired(now)) {
    entry->Owner<Http2Connection>().OnKeepalive();
  }
  while (TimeoutEntry* entry = keepalive_answer.PopExpired(now)) {
    entry->Owner<Http2Connection>().OnKeepaliveUnanswered();
  }
  while (TimeoutEntry* entry = goaway.PopExpired(now)) {
    entry->Owner<Http2Connection>().OnGoawayUnanswered();
  }
  while (TimeoutEntry* entry = write.PopExpired(now)) {
    entry->Owner<Http2Connection>().OnWriteTimeout();
  }
  while (TimeoutEntry* entry = stream_body.PopExpired(now)) {
    entry->Owner<Http2Stream>().OnBodyTimer();
  }
  for (TimeoutList* list : {&stream_write, &stream_stall}) {
    while (TimeoutEntry* entry = list->PopExpired(now)) {
      entry->Owner<Http2Stream>().OnWriteTimeout();
    }
  }
  deadlines.Run(now);
}

}  // namespace headrace::net
