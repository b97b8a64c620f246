// A thread that does something when its time has come, and sleeps until then.
#ifndef HEADRACE_ENGINE_EXPIRY_THREAD_H_
#define HEADRACE_ENGINE_EXPIRY_THREAD_H_

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "engine/parker.h"

namespace headrace::engine {

// Starts with the constructor; the destructor ends and joins it. LookBy is thread-safe and costs
// one load unless it brings the thread's next look forward.
class ExpiryThread {
 public:
  // `expire` runs on the thread, at or after the time that was asked for, and returns when to run
  // next (kNever: when asked). It does not block for long.
  using Expire = std::function<Nanos(Nanos now)>;
  ExpiryThread(std::string name, const Clock& clock, Expire expire);
  ~ExpiryThread();
  ExpiryThread(const ExpiryThread&) = delete;
  ExpiryThread& operator=(const ExpiryThread&) = delete;

  // Makes it run no later than at `time`.
  void LookBy(Nanos time);

 private:
  void Run();
  // True when `time` is earlier than what was asked for so far.
  bool Advance(Nanos time);

  const Clock& clock_;
  const Expire expire_;
  std::atomic<Nanos> next_{kNever};
  std::atomic<bool> ending_{false};
  Parker parker_;
  std::thread thread_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_EXPIRY_THREAD_H_
