// One thread, one epoll: everything a set of connections needs, and an inbox for the other threads.
#ifndef HEADRACE_NET_EVENT_LOOP_H_
#define HEADRACE_NET_EVENT_LOOP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mpsc_queue.h"
#include "base/result.h"
#include "base/small_memory.h"
#include "tensor/block_pool.h"

namespace headrace::net {

// Something to run on a loop's thread. Posting one costs no allocation beyond the task itself.
class LoopTask : public MpscNode<>, public SmallObject {
 public:
  virtual ~LoopTask() = default;
  virtual void Run() = 0;
};

// Runs on a thread of its own between Start and Stop. Post is thread-safe; everything else belongs
// to the loop's thread.
class EventLoop {
 public:
  // `name` names the thread; `cpu` pins it, -1 = no pin. `pool` is where bodies come from; both are
  // borrowed.
  EventLoop(std::string name, int cpu, BlockPool& pool, const Clock& clock);
  ~EventLoop();

  Status Start();
  // Runs what was posted before, then ends the thread. Idempotent.
  void Stop();

  // Queues the task; one wake-up serves all tasks that arrive before the loop looks. Any thread. A
  // task posted after Stop is destroyed without running.
  void Post(std::unique_ptr<LoopTask> task);
  // The same for a closure, for paths that are not hot.
  void PostFunction(std::function<void()> function);

  bool InLoopThread() const;
  Nanos now() const;  // when this turn began; cheap
  BlockPool& pool();
  const Clock& clock() const;

  class Impl;
  Impl& impl() { return *impl_; }  // for the other files of this folder

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_EVENT_LOOP_H_
