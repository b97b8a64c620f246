// Which queue delay and how many instances hold a model's SLA, from what a window of its traffic
// showed. Pure.
//
// What too many late requests are answered by depends on what made them late. Where the instances
// have time to spare the delay is too long: half of it (multiplicative decrease). Where they have
// not, there are too few of them: as many as the busy ones are at the wanted utilisation. Where one
// of the two is at its bound, the other is taken; where both are, the SLA is not to be held within
// the bounds, and it stays there and says so.
//
// Below the SLA the delay grows by a step (additive increase) while larger batches save work: the
// instances are busy enough for it to matter, somebody comes in that time, batches have room,
// larger ones were not seen to cost as much for each request, and the latency leaves room for the
// step. When nobody comes in the time of the delay, waiting is for nothing, and it shrinks.
//
// How many instances the load needs says ScalingPolicy. A growth that it wants is taken; with
// fewer, this policy must agree: not while requests are late, and not to fewer than the busy ones
// need at the wanted utilisation.
//
// So that it does not swing: bounds between which nothing changes; a window begins anew with each
// change; what has to be taken back at once is tried again after twice the time, up to 16 times of
// it. So a setting that does not hold is tried rarely, and one that does is kept.
#ifndef HEADRACE_SCALING_ONLINE_POLICY_H_
#define HEADRACE_SCALING_ONLINE_POLICY_H_

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "engine/online_options.h"
#include "scaling/load_window.h"
#include "scaling/scaling_policy.h"

namespace headrace::scaling {

enum class DelayReason : std::uint8_t {
  kSteady,
  kLimits,   // it was outside of the bounds
  kLatency,  // too many requests were late
  kAlone,    // nobody comes in that time
  kRoom,     // larger batches save work, and the latency leaves room for them
};
std::string_view DelayReasonText(DelayReason reason);

struct OnlineView {
  Nanos queue_delay = 0;
  std::int64_t instance_count = 1;
  std::int64_t batch_size_max = 1;
};

struct OnlineDecision {
  Nanos queue_delay = 0;
  DelayReason delay_reason = DelayReason::kSteady;
  ScalingDecision instances{};
  bool beyond_bounds = false;  // nothing within the bounds holds the SLA, as the last window showed
};

// Instances may wait so long in queue, be aimed at such a utilisation, and so on: of the policy
// that looks at the load of a model that is online.
ScalingPolicyOptions LoadPolicyOf(const engine::OnlineOptions& options);

// Of one version. Not thread-safe.
class OnlinePolicy {
 public:
  explicit OnlinePolicy(const engine::OnlineOptions& options);

  // `by_load` is ScalingPolicy's decision of now; `window` ended now, and ended with one setting
  // all the time: null where none did. Times do not go back. What is decided is put in force by the
  // caller, before the next look: at most one of the two settings changes by what a window showed.
  OnlineDecision Look(Nanos now, const OnlineView& view, const ScalingDecision& by_load,
                      const LoadWindow* window);

 private:
  // Waits longer and longer before something is tried again that had to be taken back.
  class Patience {
   public:
    explicit Patience(Nanos time) : shortest_(time), time_(time) {}
    void Tried(Nanos now) {
      tried_ = now;
      has_tried_ = true;
    }
    // What was tried last, if it was lately, has failed.
    void TakenBack(Nanos now);
    bool over(Nanos now) const { return now >= until_; }

   private:
    const Nanos shortest_;
    Nanos time_;
    Nanos tried_ = 0;
    bool has_tried_ = false;
    Nanos until_ = 0;
  };

  bool Missed(const LoadWindow& window);
  void Mend(Nanos now, const OnlineView& view, OnlineDecision& decision);
  void Ease(Nanos now, const OnlineView& view, const LoadWindow& window, OnlineDecision& decision);
  void ByLoad(Nanos now, const OnlineView& view, const ScalingDecision& by_load,
              OnlineDecision& decision);
  std::int64_t Needed(double busy) const;
  Nanos Shorter(Nanos delay) const;

  const engine::OnlineOptions options_;
  Nanos last_change_;
  Patience longer_delay_, fewer_instances_;
  int late_windows_ = 0, roomy_windows_ = 0, lonely_windows_ = 0;  // in a row
  double busy_ = 0;                                                // instances, in the last window
  bool missed_ = false;
  bool beyond_bounds_ = false;
};

}  // namespace headrace::scaling

#endif  // HEADRACE_SCALING_ONLINE_POLICY_H_
