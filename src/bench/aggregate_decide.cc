#include <algorithm>
#include <cmath>

#include "bench/aggregate.h"
#include "bench/statistics.h"

namespace headrace::bench {
namespace {

// Records reach the aggregate in chunks, every 20 ms; this long after its end a request is known.
constexpr Nanos kChunkDelay = 60 * kMillisecond;

}  // namespace

std::optional<StopReason> Aggregate::Decide(Nanos now) {
  if (now >= to_) {
    return StopReason::kDuration;
  }
  if (spec_.stop.request_count > 0 && ended_count_ >= spec_.stop.request_count) {
    return StopReason::kCount;
  }
  WalkSchedule(now);
  if (schedule_ && next_arrival_ == kNever && ended_count_ >= scheduled_count_) {
    return StopReason::kScheduleEnd;
  }
  if (spec_.stop.decide_sla && spec_.sla) {
    return DecideSla(now);
  }
  constexpr Nanos kIntervalAfter = kSecond;
  if (spec_.stop.interval_width > 0 && now - from_ >= kIntervalAfter &&
      ended_count_ >= std::max(next_look_, SamplesForPercentile(spec_.percentile))) {
    next_look_ = ended_count_ + ended_count_ / 10 + 1;
    const Estimate estimate = result_.response_time.Percentile(spec_.percentile);
    if (std::isfinite(estimate.high) &&
        estimate.high - estimate.low <= spec_.stop.interval_width * estimate.value) {
      return StopReason::kInterval;
    }
  }
  return std::nullopt;
}

std::optional<StopReason> Aggregate::DecideSla(Nanos now) {
  constexpr Nanos kMissedAfter = 500 * kMillisecond;
  // What was intended before the horizon has either ended within the SLA by now, or has missed it:
  // so that the slow ones, which end last, are not left out.
  const Nanos known = now - from_ - *spec_.sla - kChunkDelay;
  const auto tenth_count = static_cast<std::size_t>(std::max<Nanos>(known, 0) / kTenth);
  std::uint64_t arrived = 0;
  std::uint64_t in_sla = 0;
  for (std::size_t i = 0; i < std::min(tenth_count, tenths_.size()); ++i) {
    arrived += schedule_ ? tenths_[i].scheduled : tenths_[i].ended;
    in_sla += tenths_[i].in_sla;
  }
  if (FallsBehind(now)) {
    return StopReason::kBacklog;
  }
  if (arrived < next_look_) {
    return std::nullopt;
  }
  next_look_ = arrived + arrived / 10 + 1;  // looking at each answer would decide by chance
  const std::uint64_t over = arrived - std::min(arrived, in_sla);
  const SlaDecision decision = TestSla(arrived, over, spec_.percentile);
  if (decision == SlaDecision::kMissed && now - from_ >= kMissedAfter) {
    return StopReason::kSlaMissed;
  }
  const bool enough = now - from_ >= spec_.stop.decide_after;
  return decision == SlaDecision::kMet && enough ? std::optional(StopReason::kSlaMet)
                                                 : std::nullopt;
}

// More is out, at three half seconds in a row, than the SLA allows at this rate, and by then it is
// twice as much.
bool Aggregate::FallsBehind(Nanos now) {
  constexpr Nanos kStep = kSecond / 2;
  constexpr std::size_t kRise = 3;
  constexpr std::uint64_t kBacklogMin = 50;
  if (!schedule_ || now - from_ < static_cast<Nanos>(backlog_.size() + 1) * kStep) {
    return false;
  }
  backlog_.push_back(scheduled_count_ - std::min(scheduled_count_, ended_count_));
  if (backlog_.size() < kRise) {
    return false;
  }
  const std::uint64_t* const last = backlog_.data() + backlog_.size() - kRise;
  const double rate =
      static_cast<double>(scheduled_count_) * 1e9 / static_cast<double>(now - from_);
  const double allowed = rate * static_cast<double>(*spec_.sla) * 1e-9;
  return last[0] < last[1] && last[1] < last[2] && last[2] >= kBacklogMin &&
         static_cast<double>(last[0]) > allowed && static_cast<double>(last[2]) > 2 * allowed;
}

}  // namespace headrace::bench
