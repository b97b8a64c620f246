#include "bench/level.h"

#include <limits>

#include "bench/statistics.h"

namespace headrace::bench {

Estimate LatencyFigures::Percentile(double percentile) const {
  const std::uint64_t n = count();
  if (n == 0) {
    return {};
  }
  const auto at_rank = [this](std::uint64_t rank) {
    return rank > histogram.count() ? std::numeric_limits<double>::infinity()
                                    : static_cast<double>(histogram.ValueAtRank(rank));
  };
  const RankInterval ranks = PercentileRanks(n, percentile);
  Estimate estimate;
  estimate.value = at_rank(PercentileRank(n, percentile));
  estimate.low = ranks.low == 0 ? 0 : at_rank(ranks.low);
  estimate.high = at_rank(ranks.high);
  return estimate;
}

std::uint64_t LevelResult::failure_count() const {
  std::uint64_t count = 0;
  for (std::size_t outcome = 1; outcome < outcomes.size(); ++outcome) {
    count += outcomes[outcome];
  }
  return count;
}

std::string_view StopReasonName(StopReason reason) {
  switch (reason) {
    case StopReason::kDuration:
      return "duration";
    case StopReason::kCount:
      return "request count";
    case StopReason::kInterval:
      return "interval width";
    case StopReason::kSlaMet:
      return "sla met";
    case StopReason::kSlaMissed:
      return "sla missed";
    case StopReason::kBacklog:
      return "backlog";
    case StopReason::kScheduleEnd:
      return "schedule end";
    case StopReason::kInterrupted:
      return "interrupted";
    case StopReason::kServerGone:
      return "server gone";
  }
  return "unknown";
}

std::string_view RemarkName(Remark remark) {
  switch (remark) {
    case Remark::kDrift:
      return "drift";
    case Remark::kClientBound:
      return "client bound";
    case Remark::kTooFewForPercentile:
      return "too few for percentile";
    case Remark::kBacklog:
      return "backlog";
    case Remark::kFailures:
      return "failures";
    case Remark::kStoppedEarly:
      return "stopped early";
    case Remark::kNoisyMachine:
      return "noisy machine";
  }
  return "unknown";
}

}  // namespace headrace::bench
