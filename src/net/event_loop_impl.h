// The inside of an EventLoop, for the other files of this folder.
#ifndef HEADRACE_NET_EVENT_LOOP_IMPL_H_
#define HEADRACE_NET_EVENT_LOOP_IMPL_H_

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/intrusive_list.h"
#include "base/mpsc_queue.h"
#include "base/unique_fd.h"
#include "base/wake_batch.h"
#include "net/event_loop.h"

namespace headrace::net {

// Something with a descriptor in the loop's epoll set.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // `events`: EPOLL* bits; 0 when the source asked for another turn (ResumeLater).
  virtual void OnEvents(std::uint32_t events) = 0;
};

// Something that looks at the clock once per turn.
class TurnHook : public ListNode<> {
 public:
  virtual ~TurnHook() = default;
  // When OnTurn has to run at the latest; kNever: no need.
  virtual Nanos NextDeadline() = 0;
  virtual void OnTurn(Nanos now) = 0;
};

// Ends the loop's wait. Outlives the loop where a poster still owes it a wake-up.
class LoopWaker final : public Waker {
 public:
  // Opens the descriptor; false when there is none left.
  bool Open();
  int fd() const { return fd_.get(); }
  void WakeNow() override;

  // The loop's thread: before it waits, and after.
  void FallAsleep() { asleep_.exchange(true, std::memory_order_acq_rel); }
  void Awake() { asleep_.exchange(false, std::memory_order_acq_rel); }

 private:
  // True while the thread waits or is about to: only then does a poster pay for a wake-up. Every
  // access is a read-modify-write, so that the two sides are ordered by this variable's own
  // history: either the poster sees true, or the loop sees the poster's task.
  alignas(64) std::atomic<bool> asleep_{false};
  UniqueFd fd_;
};

// Everything but Post, PostFunction, Start, Stop and InLoopThread: the loop's thread only (hooks
// and sources may also be added before Start).
class EventLoop::Impl {
 public:
  static constexpr std::size_t kScratchByteSize = 16 * 1024;

  Impl(std::string name, int cpu, BlockPool& pool, const Clock& clock);
  ~Impl();

  Status Start();
  void Stop();
  void Post(std::unique_ptr<LoopTask> task);
  bool InLoopThread() const;

  Status Add(int fd, std::uint32_t events, EventSource& source);
  void Modify(int fd, std::uint32_t events, EventSource& source);
  // Before the descriptor is closed. Closing alone would leave the entry to report events of a
  // source that is gone, for as long as a child process that is just being started has a copy of
  // the descriptor.
  void Remove(int fd);
  void AddHook(TurnHook& hook) { hooks_.PushBack(hook); }
  void RemoveHook(TurnHook& hook) { hooks_.Remove(hook); }
  // Destroys the source at the end of the turn: this turn's events may still name it.
  void DestroyLater(std::unique_ptr<EventSource> source);
  // Calls source.OnEvents(0) in the next turn, so that one source cannot keep the loop for itself.
  // The caller forgets sources that die before.
  void ResumeLater(EventSource& source) { resume_.push_back(&source); }
  void ForgetResume(EventSource& source);

  Nanos now() const { return now_; }
  BlockPool& pool() { return pool_; }
  const Clock& clock() const { return clock_; }
  // Where sockets are read into and response heads are written into; valid until the next source
  // uses it.
  char* scratch() { return scratch_.get(); }
  std::string& head_scratch() { return head_scratch_; }

 private:
  void Run();
  void RunEvents(std::span<const epoll_event> events, WakeBatch& wakes);
  void RunTasks();
  void RunResumes();
  int WaitMillis();

  const std::string name_;
  const int cpu_;
  BlockPool& pool_;
  const Clock& clock_;
  UniqueFd epoll_;
  const std::shared_ptr<LoopWaker> waker_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_{};
  std::atomic<bool> closed_{false};  // Stop was called: tasks are no longer taken
  bool started_ = false;
  bool stop_ = false;
  Nanos now_ = 0;
  alignas(64) MpscQueue<LoopTask> inbox_;
  alignas(64) IntrusiveList<TurnHook> hooks_;
  std::vector<std::unique_ptr<EventSource>> dead_;
  std::vector<EventSource*> resume_;
  std::vector<EventSource*> resuming_;
  std::unique_ptr<char[]> scratch_;
  std::string head_scratch_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_EVENT_LOOP_IMPL_H_
