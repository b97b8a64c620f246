// How many workers a model is to have, between the two numbers that it was given. Pure.
//
// A worker costs its start. So a queue alone is no reason for another one, only a queue that would
// still be there when the worker could help: what waits now, and what comes until then, is more
// than the workers can do in the time that a start takes. How much a worker does is measured, over
// the time that workers are busy; how long a start takes, too. Growth goes to what the load needs
// at the wanted utilisation, at most to twice the number at a time.
//
// Fewer are enough when the load has needed fewer all the time for a while, which is longer the
// longer a start takes; then the most that it needed in that while stay. None at all, where that is
// allowed, when nothing has come for a longer while. Each change begins a new while, so that the
// number does not swing.
#ifndef HEADRACE_SCALING_SCALING_POLICY_H_
#define HEADRACE_SCALING_SCALING_POLICY_H_

#include <cstdint>
#include <deque>
#include <string_view>

#include "base/clock.h"

namespace headrace::scaling {

struct ScalingPolicyOptions {
  Nanos window = 5 * kSecond;           // over which rates and loads are averaged
  Nanos wait_max = 200 * kMillisecond;  // in queue, that nobody has to mend
  double utilisation = 0.7;             // of workers, that is aimed at
  Nanos shrink_after = 60 * kSecond;    // at least; ten starts if that is longer
  Nanos idle_after = 300 * kSecond;     // without a request: none at all, where that is allowed
  Nanos pause_after_failure = 30 * kSecond;
};

// One version of a model at one time.
struct ScalingView {
  std::int64_t worker_count = 0;  // that it was given; those that start are among them
  std::int64_t worker_count_min = 0, worker_count_max = 0;
  std::int64_t batch_size = 1;
  std::int64_t queue_depth = 0;
  std::int64_t executing = 0;   // requests
  std::uint64_t received = 0;   // since the version is there
  std::uint64_t completed = 0;  // the same; not those that were refused
};

enum class ScalingReason : std::uint8_t {
  kSteady,       // it stays as it is
  kLimits,       // it was outside of the two numbers
  kFirstWorker,  // requests wait, and there is no worker
  kQueue,        // the queue grows faster than it is worked off
  kLatency,      // of too many requests (scaling/online_policy.h)
  kLowLoad,      // fewer were enough for a while
  kIdle,         // nothing has come for a while
  kPaused,       // workers did not start; it is tried again later
};
std::string_view ScalingReasonText(ScalingReason reason);

struct ScalingDecision {
  std::int64_t worker_count = 0;
  ScalingReason reason = ScalingReason::kSteady;
};

// Of one version. Not thread-safe.
class ScalingPolicy {
 public:
  explicit ScalingPolicy(ScalingPolicyOptions options) : options_(options) {}

  // To be asked at regular intervals, also while a change is under way. Times do not go back.
  ScalingDecision Look(Nanos now, const ScalingView& view);
  // A change that was decided is through: `duration` is what it took to start workers; 0: none was
  // started.
  void Changed(Nanos now, Nanos duration);
  void Failed(Nanos now);
  Nanos start_cost() const { return start_cost_; }

 private:
  struct Sample {
    Nanos time = 0;
    std::uint64_t received = 0, completed = 0;
    double busy = 0;  // worker seconds until then
  };
  // What the samples of the window say.
  struct Load {
    double arrivals = 0;     // per second
    double busy = 0;         // workers, on average
    double worker_rate = 0;  // requests per second of a busy worker; 0: not known
  };

  void Take(Nanos now, const ScalingView& view);
  Load LoadNow() const;
  ScalingDecision Grow(Nanos now, const ScalingView& view, const Load& load);
  ScalingDecision Shrink(Nanos now, const ScalingView& view, const Load& load);
  void BeginWhile(Nanos now);

  const ScalingPolicyOptions options_;
  std::deque<Sample> samples_;
  std::int64_t busy_now_ = 0;
  Nanos start_cost_ = 2 * kSecond;  // until it is measured
  bool start_measured_ = false;
  Nanos waiting_since_ = kNever;  // the queue was not empty, and no worker free
  Nanos while_begin_ = kNever;
  std::int64_t while_peak_ = 0;  // workers that the load needed in it
  Nanos last_request_ = kNever;
  std::uint64_t last_received_ = 0;
  Nanos paused_until_ = 0;
};

}  // namespace headrace::scaling

#endif  // HEADRACE_SCALING_SCALING_POLICY_H_
