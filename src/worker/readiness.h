// Asks a worker's model whether it is ready (contracts, Triton 9.1, is_ready), time and again.
#ifndef HEADRACE_WORKER_READINESS_H_
#define HEADRACE_WORKER_READINESS_H_

#include <cstdint>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/status.h"
#include "worker/json_messages.h"

namespace headrace::worker {

// Of one keeper. `report` is for any thread, all else for the keeper's. Pure but for its mutex:
// times come from the caller, and so does the sending.
class Readiness {
 public:
  static constexpr Nanos kInterval = kSecond;
  static constexpr Nanos kAnswerTimeout = 5 * kSecond;  // Triton's

  // A worker serves: its model has is_ready, or has not.
  void Begin(bool has_is_ready, Nanos now);
  // The worker is gone.
  void End();
  // The number of the question to ask now, if it is time to ask.
  std::optional<std::uint64_t> Ask(Nanos now);
  // When Ask is to be called next; kNever: not at all.
  Nanos look_at() const;
  void OnAnswer(const ReadinessMessage& answer, Nanos now);

  // OK before anything else is known.
  Status report() const;

 private:
  void Set(Status report);

  bool asks_ = false;
  bool waits_ = false;  // for the answer to `number_`
  std::uint64_t number_ = 0;
  Nanos look_at_ = kNever;
  mutable std::mutex mutex_;  // guards report_
  Status report_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_READINESS_H_
