// The operators of a model's instances, as Kineto records them.
#ifndef HEADRACE_BACKENDS_PYTORCH_KINETO_PROFILE_H_
#define HEADRACE_BACKENDS_PYTORCH_KINETO_PROFILE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>

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

  // The calling thread executes the model.
  void AddThisThread();
  // Ends it. May block for as long as Kineto takes to gather what it has.
  void Finish(OperatorProfile* profile);

 private:
  KinetoProfile() = default;

  std::mutex mutex_;                // guards what follows
  std::set<std::int64_t> threads_;  // the system's numbers
  bool running_ = true;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_KINETO_PROFILE_H_
