// One model that is online: windows of its statistics for the policy, and what came of them.
#ifndef HEADRACE_SCALING_ONLINE_MODEL_H_
#define HEADRACE_SCALING_ONLINE_MODEL_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "engine/online_options.h"
#include "engine/statistics.h"
#include "scaling/load_window.h"
#include "scaling/online_policy.h"

namespace headrace::scaling {

// Not thread-safe, and free of clocks and threads: the simulator drives it as the autoscaler does.
class OnlineModel {
 public:
  explicit OnlineModel(const engine::OnlineOptions& options);

  // As OnlinePolicy::Look. A window ends when it has the requests that its percentile needs, or
  // after four times its length.
  OnlineDecision Look(Nanos now, const OnlineView& view, const ScalingDecision& by_load,
                      const engine::ModelStatistics& statistics);
  // What goes on is between two settings: the next window begins with the next look.
  void Pause() { measuring_ = false; }

  void CountDelayChange(DelayReason reason) { ++delay_changes_[static_cast<std::size_t>(reason)]; }
  void CountInstanceChange(ScalingReason reason) {
    ++instance_changes_[static_cast<std::size_t>(reason)];
  }
  std::uint64_t delay_changes(DelayReason reason) const {
    return delay_changes_[static_cast<std::size_t>(reason)];
  }
  std::uint64_t instance_changes(ScalingReason reason) const {
    return instance_changes_[static_cast<std::size_t>(reason)];
  }

  const engine::OnlineOptions& options() const { return options_; }
  // Of the last window with requests, or of the part of one that a change has ended; 0: none yet.
  Nanos latency() const { return latency_; }
  bool beyond_bounds() const { return beyond_bounds_; }
  // "p99 of 131 ms, the SLA is 100 ms".
  std::string LatencyText() const;
  // "p99 <= 100 ms"
  std::string SlaText() const;

 private:
  const engine::OnlineOptions options_;
  const std::uint64_t requests_wanted_;  // of a window
  LoadWindowReader reader_;
  OnlinePolicy policy_;
  bool measuring_ = false;
  Nanos window_begin_ = 0;
  Nanos latency_ = 0;
  bool beyond_bounds_ = false;
  std::array<std::uint64_t, 8> delay_changes_{};
  std::array<std::uint64_t, 16> instance_changes_{};
};

}  // namespace headrace::scaling

#endif  // HEADRACE_SCALING_ONLINE_MODEL_H_
