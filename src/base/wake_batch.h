// Gathers the wake-ups that a thread owes to others, so that many causes cost one system call.
//
// Why: a wake-up is a system call, and where the woken thread shares a core with the one that wakes
// it the kernel often switches at once. Then a thread with more work at hand pays two switches for
// each item, and the woken thread finds one item where it could have found ten. With 16 connections
// on two cores that was a third of a small request's cost.
//
//   WakeBatch wakes;                        // at the root of a thread
//   while (...) {
//     Work();                               // calls WakeBatch::Wake(waker) instead of waking
//     wakes.Flush();                        // before the thread waits or does anything long
//   }
//
// A batch serves the thread that made it. On a thread without one every wake-up is immediate.
#ifndef HEADRACE_BASE_WAKE_BATCH_H_
#define HEADRACE_BASE_WAKE_BATCH_H_

#include <array>
#include <cstddef>
#include <memory>

namespace headrace {

// What is to be woken.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void WakeNow() = 0;
};

class WakeBatch {
 public:
  WakeBatch();
  ~WakeBatch();  // flushes
  WakeBatch(const WakeBatch&) = delete;
  WakeBatch& operator=(const WakeBatch&) = delete;

  // Whether wake-ups of this thread are gathered (so at first) or immediate. Flushes what was
  // gathered.
  void SetGathering(bool gathering);
  bool empty() const { return count_ == 0; }
  // Wakes all that were gathered, each once.
  void Flush();

  // Wakes now, or at the next flush of this thread's batch; once for any number of calls before.
  static void Wake(const std::shared_ptr<Waker>& waker);
  // The same for one that cannot end before it has been woken.
  static void WakeBorrowed(Waker& waker);
  // Flushes this thread's batch, if it has one. To be called before the thread waits for another.
  static void FlushCurrent();

 private:
  static constexpr std::size_t kCapacity = 32;  // more are woken at once

  // True when a batch took it.
  static bool Gather(Waker& waker, const std::shared_ptr<Waker>* owner);

  std::array<std::shared_ptr<Waker>, kCapacity> wakers_;  // the first count_
  std::size_t count_ = 0;
  bool gathering_ = true;
  WakeBatch* const outer_;  // the thread's batch before this one
};

}  // namespace headrace

#endif  // HEADRACE_BASE_WAKE_BATCH_H_
