// Asks an instance of a backend whether it is ready (TRITONBACKEND_ModelInstanceReady; contracts,
// Triton 8.6), time and again.
#ifndef HEADRACE_PLUGIN_INSTANCE_READINESS_H_
#define HEADRACE_PLUGIN_INSTANCE_READINESS_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/status.h"

namespace headrace::plugin {

// Readiness is looked at on event loops, which do not wait for a backend: so it is asked on a
// thread of this object's, and what it said last is what counts. Thread-safe.
class InstanceReadiness {
 public:
  struct Options {
    Nanos interval = kSecond;            // between an answer and the next question
    Nanos answer_timeout = 5 * kSecond;  // no answer for so long is a no
  };

  // Blocks until the first answer, or until answer_timeout. `ask` may block, and is called by one
  // thread at a time.
  InstanceReadiness(std::function<Status()> ask, const Clock& clock, Options options);
  // Blocks until the question that is under way has its answer. `ask` is not called later.
  ~InstanceReadiness();
  InstanceReadiness(const InstanceReadiness&) = delete;
  InstanceReadiness& operator=(const InstanceReadiness&) = delete;

  // OK, or what the instance said; UNAVAILABLE while it has not answered for answer_timeout.
  Status report() const;

 private:
  void Run();

  const std::function<Status()> ask_;
  const Clock& clock_;
  const Options options_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  Nanos asked_at_ = kNever;  // kNever: nothing is under way
  bool answered_ = false;    // at all
  bool stopping_ = false;
  Status said_;
  std::thread thread_;
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_INSTANCE_READINESS_H_
