// The operators of a model's instances, as Kineto records them.
#ifndef HEADRACE_BACKENDS_PYTORCH_KINETO_PROFILE_H_
#define HEADRACE_BACKENDS_PYTORCH_KINETO_PROFILE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "common/error.h"
#include "common/operator_profile.h"

namespace headrace::backend {

// One recording. Kineto is the process's: it records all threads, and what does not belong to the
// model's instances is left out at the end. Thread-safe. No header of PyTorch's is needed to use
// it.
class KinetoProfile {
 public:
  // Begins. UNAVAILABLE while another model of the process is recorded.
  static Error Start(const ProfileOptions& options, std::shared_ptr<KinetoProfile>* profile);
  // Ends it, if Finish has not.
  ~KinetoProfile();

  // While it lives, the calling thread executes a batch of the model. Kineto is not asked for what
  // it has while one lives: threads write to it without a lock.
  class Execution;
  std::shared_ptr<Execution> Enter();
  // Ends it. Blocks until executions have ended, and for as long as Kineto takes to gather what it
  // has.
  void Finish(OperatorProfile* profile);

 private:
  explicit KinetoProfile(const ProfileOptions& options) : options_(options) {}

  const ProfileOptions options_;
  std::shared_mutex executions_;  // shared by executions; guards running_
  bool running_ = true;
  std::mutex threads_mutex_;        // guards what follows
  std::set<std::int64_t> threads_;  // the system's numbers
  int thread_count_ = 0;            // that an instance computes with
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_KINETO_PROFILE_H_
