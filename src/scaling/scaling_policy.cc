#include "scaling/scaling_policy.h"

#include <algorithm>
#include <cmath>

namespace headrace::scaling {
namespace {

constexpr double kNanosPerSecond = 1e9;
// How much of a new measurement of a start counts.
constexpr double kStartShare = 0.5;
constexpr Nanos kStartsBeforeShrink = 10;

double Seconds(Nanos time) { return static_cast<double>(time) / kNanosPerSecond; }

std::int64_t Ceiling(double count) {
  return static_cast<std::int64_t>(std::ceil(std::clamp(count, 0.0, 1e9) - 1e-9));
}

}  // namespace

std::string_view ScalingReasonText(ScalingReason reason) {
  switch (reason) {
    case ScalingReason::kSteady:
      return "steady";
    case ScalingReason::kLimits:
      return "limits changed";
    case ScalingReason::kFirstWorker:
      return "requests wait for a first worker";
    case ScalingReason::kQueue:
      return "the queue grows";
    case ScalingReason::kLatency:
      return "requests take too long";
    case ScalingReason::kLowLoad:
      return "low load";
    case ScalingReason::kIdle:
      return "idle";
    case ScalingReason::kPaused:
      return "workers did not start";
  }
  return "";
}

void ScalingPolicy::BeginWhile(Nanos now) {
  while_begin_ = now;
  while_peak_ = 0;
}

void ScalingPolicy::Changed(Nanos now, Nanos duration) {
  if (duration > 0) {
    start_cost_ = start_measured_
                      ? static_cast<Nanos>(kStartShare * static_cast<double>(duration) +
                                           (1 - kStartShare) * static_cast<double>(start_cost_))
                      : duration;
    start_measured_ = true;
  }
  waiting_since_ = kNever;
  paused_until_ = 0;
  BeginWhile(now);
}

void ScalingPolicy::Failed(Nanos now) {
  paused_until_ = now + options_.pause_after_failure;
  waiting_since_ = kNever;
  BeginWhile(now);
}

void ScalingPolicy::Take(Nanos now, const ScalingView& view) {
  Sample sample{now, view.received, view.completed, 0};
  if (!samples_.empty()) {
    const Sample& last = samples_.back();
    sample.busy = last.busy + static_cast<double>(busy_now_) * Seconds(now - last.time);
  }
  samples_.push_back(sample);
  while (samples_.size() > 2 && samples_[1].time <= now - options_.window) {
    samples_.pop_front();
  }
  const std::int64_t batch_size = std::max<std::int64_t>(1, view.batch_size);
  busy_now_ = std::min(view.worker_count, (view.executing + batch_size - 1) / batch_size);
  if (last_request_ == kNever || view.received != last_received_ || view.queue_depth > 0 ||
      view.executing > 0) {
    last_request_ = now;
    last_received_ = view.received;
  }
  if (view.queue_depth == 0 || busy_now_ < view.worker_count) {
    waiting_since_ = kNever;
  } else if (waiting_since_ == kNever) {
    waiting_since_ = now;
  }
  if (while_begin_ == kNever) {
    BeginWhile(now);
  }
}

ScalingPolicy::Load ScalingPolicy::LoadNow() const {
  Load load;
  const double seconds = Seconds(samples_.back().time - samples_.front().time);
  if (seconds > 0) {
    const double busy = samples_.back().busy - samples_.front().busy;
    load.arrivals =
        static_cast<double>(samples_.back().received - samples_.front().received) / seconds;
    load.busy = busy / seconds;
    const auto completed =
        static_cast<double>(samples_.back().completed - samples_.front().completed);
    load.worker_rate = busy > 0 ? completed / busy : 0;
  }
  return load;
}

ScalingDecision ScalingPolicy::Look(Nanos now, const ScalingView& view) {
  Take(now, view);
  const std::int64_t within =
      std::clamp(view.worker_count, view.worker_count_min, view.worker_count_max);
  if (now < paused_until_) {
    return {view.worker_count, ScalingReason::kPaused};
  }
  if (within != view.worker_count) {
    return {within, ScalingReason::kLimits};
  }
  if (view.worker_count == 0) {
    return view.queue_depth > 0 && view.worker_count_max > 0
               ? ScalingDecision{1, ScalingReason::kFirstWorker}
               : ScalingDecision{0, ScalingReason::kSteady};
  }
  const Load load = LoadNow();
  const ScalingDecision grown = Grow(now, view, load);
  return grown.worker_count != view.worker_count ? grown : Shrink(now, view, load);
}

ScalingDecision ScalingPolicy::Grow(Nanos now, const ScalingView& view, const Load& load) {
  const ScalingDecision steady{view.worker_count, ScalingReason::kSteady};
  if (view.worker_count >= view.worker_count_max || waiting_since_ == kNever ||
      now - waiting_since_ < options_.wait_max) {
    return steady;
  }
  std::int64_t wanted = view.worker_count + 1;
  if (load.worker_rate > 0) {
    const double queue = static_cast<double>(view.queue_depth);
    const double rate = load.worker_rate * static_cast<double>(view.worker_count);
    if (queue / rate <= Seconds(options_.wait_max)) {
      return steady;
    }
    const double start = Seconds(start_cost_);
    if (queue + (load.arrivals - rate) * start <= 0) {
      return steady;  // it is gone before a worker could help
    }
    // The arrivals at the utilisation that is aimed at, and the backlog in the time that a start
    // takes.
    const double needed = load.arrivals / (load.worker_rate * options_.utilisation) +
                          queue / (load.worker_rate * std::max(start, 1.0) * 2);
    wanted = std::clamp(Ceiling(needed), view.worker_count + 1, view.worker_count * 2);
  } else if (now - waiting_since_ < start_cost_) {
    return steady;  // nothing was ever completed: a first long execution, perhaps
  }
  return {std::min(wanted, view.worker_count_max), ScalingReason::kQueue};
}

ScalingDecision ScalingPolicy::Shrink(Nanos now, const ScalingView& view, const Load& load) {
  const ScalingDecision steady{view.worker_count, ScalingReason::kSteady};
  if (view.worker_count_min == 0 && now - last_request_ >= options_.idle_after) {
    return {0, ScalingReason::kIdle};
  }
  const std::int64_t floor = std::max<std::int64_t>(1, view.worker_count_min);
  const std::int64_t needed = std::max(floor, Ceiling(load.busy / options_.utilisation));
  if (view.worker_count <= floor || needed >= view.worker_count || view.queue_depth > 0) {
    BeginWhile(now);
    return steady;
  }
  while_peak_ = std::max(while_peak_, needed);
  if (now - while_begin_ < std::max(options_.shrink_after, kStartsBeforeShrink * start_cost_)) {
    return steady;
  }
  return {while_peak_, ScalingReason::kLowLoad};
}

}  // namespace headrace::scaling
