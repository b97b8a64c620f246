#include "scaling/online_policy.h"

#include <algorithm>
#include <cmath>

namespace headrace::scaling {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr double kUtilisation = 0.7;  // of instances, that is aimed at
constexpr Nanos kWaitMax = 200 * kMillisecond;
constexpr Nanos kPartOfSla = 4;             // that a request may wait before the load is too much
constexpr std::int64_t kWindowsOfLoad = 5;  // that the load is averaged over

constexpr double kRoomy = 0.7;  // of the SLA: up to here the delay may grow
constexpr double kLimit = 0.8;  // of the SLA: no step leads beyond it
constexpr int kRoomyWindows = 3;
constexpr int kLonelyWindows = 3;
constexpr int kLateWindows = 2;
constexpr int kDelayPatience = 10;  // windows
constexpr int kPatienceMax = 16;    // times the shortest
constexpr int kDelaySteps = 8;      // from one bound to the other
constexpr double kCompany = 1.0;    // requests that come in a delay for which it is worth waiting
constexpr double kNoCompany = 0.3;
constexpr double kBusyEnough = 0.3;  // of an instance's time, for which work is worth saving
constexpr double kBatchRoom = 0.9;   // of the largest batch
constexpr double kBatchGain = 0.97;  // of the time of an inference, that larger batches must get to
constexpr std::uint64_t kBatchesSeen = 5;
// So many requests, and so many standard deviations, that one window is enough to tell.
constexpr std::uint64_t kManyRequests = 50;
constexpr double kDeviations = 2;

// Whether larger batches than the usual one were seen to cost less for each inference; yes where
// nothing was seen.
bool LargerBatchesPay(const LoadWindow& window) {
  double time[2] = {}, inferences[2] = {};
  std::uint64_t executions[2] = {};
  for (const auto& [size, batch] : window.batches) {
    const int larger = static_cast<double>(size) > window.batch_mean ? 1 : 0;
    time[larger] += static_cast<double>(batch.total);
    inferences[larger] += static_cast<double>(size * batch.count);
    executions[larger] += batch.count;
  }
  if (executions[0] < kBatchesSeen || executions[1] < kBatchesSeen) {
    return true;
  }
  return time[1] / inferences[1] <= kBatchGain * time[0] / inferences[0];
}

}  // namespace

std::string_view DelayReasonText(DelayReason reason) {
  switch (reason) {
    case DelayReason::kSteady:
      return "steady";
    case DelayReason::kLimits:
      return "limits changed";
    case DelayReason::kLatency:
      return "requests take too long";
    case DelayReason::kAlone:
      return "nobody comes in that time";
    case DelayReason::kRoom:
      return "the SLA leaves room for larger batches";
  }
  return "";
}

ScalingPolicyOptions LoadPolicyOf(const engine::OnlineOptions& options) {
  return {.window = kWindowsOfLoad * options.window,
          .wait_max = std::clamp(options.sla / kPartOfSla, Nanos{1}, kWaitMax),
          .utilisation = kUtilisation,
          .shrink_after = options.shrink_after};
}

void OnlinePolicy::Patience::TakenBack(Nanos now) {
  const bool lately = has_tried_ && now - tried_ <= 2 * time_;
  time_ = lately ? std::min(2 * time_, kPatienceMax * shortest_) : shortest_;
  until_ = now + time_;
  has_tried_ = false;
}

OnlinePolicy::OnlinePolicy(const engine::OnlineOptions& options)
    : options_(options),
      last_change_(-options.window),
      longer_delay_(kDelayPatience * options.window),
      fewer_instances_(options.shrink_after) {}

std::int64_t OnlinePolicy::Needed(double busy) const {
  return std::clamp(static_cast<std::int64_t>(std::ceil(busy / kUtilisation)),
                    options_.instance_count_min, options_.instance_count_max);
}

Nanos OnlinePolicy::Shorter(Nanos delay) const {
  const Nanos least = (options_.queue_delay_max - options_.queue_delay_min) / (4 * kDelaySteps);
  const Nanos half = std::max(options_.queue_delay_min, delay / 2);
  return half - options_.queue_delay_min <= least ? options_.queue_delay_min : half;
}

// Few requests may be late by chance: then it takes two windows in a row.
bool OnlinePolicy::Missed(const LoadWindow& window) {
  const double late = static_cast<double>(window.late);
  const double allowed = (1 - options_.percentile / 100) * static_cast<double>(window.requests);
  late_windows_ = late > allowed ? late_windows_ + 1 : 0;
  return late_windows_ >= kLateWindows ||
         (window.requests >= kManyRequests && late > allowed + kDeviations * std::sqrt(allowed));
}

void OnlinePolicy::Mend(Nanos now, const OnlineView& view, OnlineDecision& decision) {
  beyond_bounds_ = false;
  const bool can_grow = view.instance_count < options_.instance_count_max &&
                        decision.instances.reason != ScalingReason::kPaused;
  const bool can_shorten = view.queue_delay > options_.queue_delay_min;
  const bool busy = busy_ >= kUtilisation * static_cast<double>(view.instance_count);
  if (can_shorten && !(busy && can_grow)) {
    decision.queue_delay = Shorter(view.queue_delay);
    decision.delay_reason = DelayReason::kLatency;
    longer_delay_.TakenBack(now);
  } else if (can_grow) {
    decision.instances = {
        std::clamp(Needed(busy_), view.instance_count + 1,
                   std::min(2 * view.instance_count, options_.instance_count_max)),
        ScalingReason::kLatency};
    fewer_instances_.TakenBack(now);
  } else {
    beyond_bounds_ = decision.instances.reason != ScalingReason::kPaused;
  }
}

void OnlinePolicy::Ease(Nanos now, const OnlineView& view, const LoadWindow& window,
                        OnlineDecision& decision) {
  const double sla = static_cast<double>(options_.sla);
  const auto latency = static_cast<double>(window.latency);
  const auto company = [&](Nanos delay) {
    return window.arrival_rate() * static_cast<double>(delay) / kNanosPerSecond;
  };
  roomy_windows_ = latency <= kRoomy * sla ? roomy_windows_ + 1 : 0;
  lonely_windows_ = company(view.queue_delay) < kNoCompany ? lonely_windows_ + 1 : 0;
  if (view.queue_delay > options_.queue_delay_min && lonely_windows_ >= kLonelyWindows) {
    decision.queue_delay = Shorter(view.queue_delay);
    decision.delay_reason = DelayReason::kAlone;
    lonely_windows_ = 0;
    return;
  }
  const Nanos step =
      std::max(Nanos{1}, (options_.queue_delay_max - options_.queue_delay_min) / kDelaySteps);
  const Nanos longer = std::min(options_.queue_delay_max, view.queue_delay + step);
  if (longer > view.queue_delay && roomy_windows_ >= kRoomyWindows && longer_delay_.over(now) &&
      busy_ >= kBusyEnough * static_cast<double>(view.instance_count) &&
      window.batch_mean < kBatchRoom * static_cast<double>(view.batch_size_max) &&
      company(longer) >= kCompany &&
      latency + static_cast<double>(longer - view.queue_delay) <= kLimit * sla &&
      LargerBatchesPay(window)) {
    decision.queue_delay = longer;
    decision.delay_reason = DelayReason::kRoom;
    roomy_windows_ = 0;
    longer_delay_.Tried(now);
  }
}

void OnlinePolicy::ByLoad(Nanos now, const OnlineView& view, const ScalingDecision& by_load,
                          OnlineDecision& decision) {
  decision.instances = by_load;
  switch (by_load.reason) {
    case ScalingReason::kQueue:
      if (now - last_change_ < options_.window) {
        decision.instances = {view.instance_count, ScalingReason::kSteady};
      } else {
        fewer_instances_.TakenBack(now);
      }
      break;
    case ScalingReason::kLowLoad: {
      const std::int64_t count = std::max(by_load.worker_count, Needed(busy_));
      if (missed_ || count >= view.instance_count || !fewer_instances_.over(now) ||
          now - last_change_ < options_.window) {
        decision.instances = {view.instance_count, ScalingReason::kSteady};
      } else {
        decision.instances.worker_count = count;
        fewer_instances_.Tried(now);
      }
      break;
    }
    default:
      break;
  }
}

OnlineDecision OnlinePolicy::Look(Nanos now, const OnlineView& view, const ScalingDecision& by_load,
                                  const LoadWindow* window) {
  OnlineDecision decision;
  decision.queue_delay =
      std::clamp(view.queue_delay, options_.queue_delay_min, options_.queue_delay_max);
  decision.delay_reason =
      decision.queue_delay == view.queue_delay ? DelayReason::kSteady : DelayReason::kLimits;
  if (window != nullptr) {
    // Executions that are taken ahead overlap, and count as more instances than there are.
    busy_ = std::min(window->busy, static_cast<double>(view.instance_count));
    missed_ = Missed(*window);
    beyond_bounds_ = beyond_bounds_ && missed_;
  }
  ByLoad(now, view, by_load, decision);
  const auto changes = [&] {
    return decision.queue_delay != view.queue_delay ||
           decision.instances.worker_count != view.instance_count;
  };
  if (window != nullptr && !changes()) {
    if (missed_) {
      roomy_windows_ = lonely_windows_ = 0;
      Mend(now, view, decision);
    } else {
      Ease(now, view, *window, decision);
    }
  }
  if (changes()) {
    last_change_ = now;
    late_windows_ = 0;
  }
  decision.beyond_bounds = beyond_bounds_;
  return decision;
}

}  // namespace headrace::scaling
