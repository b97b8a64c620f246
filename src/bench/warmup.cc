#include "bench/warmup.h"

#include <algorithm>
#include <cmath>

#include "bench/statistics.h"

namespace headrace::bench {

WarmupRule::WarmupRule(const LevelSpec& spec, Nanos start)
    : max_(spec.warmup_max),
      request_count_(spec.warmup_request_count),
      start_(start),
      bin_start_(start) {}

void WarmupRule::Take(std::span<const load::RequestRecord> records) {
  ended_count_ += records.size();
  for (const load::RequestRecord& record : records) {
    if (record.done - bin_start_ >= kBinMin && bin_.size() >= kBinCountMin) {
      medians_.push_back(Median(bin_));
      bin_.clear();
      bin_start_ = record.done;
    }
    bin_.push_back(static_cast<double>(record.response_time()));
  }
}

bool WarmupRule::is_flat() const {
  if (medians_.size() < kBinsOfLine) {
    return false;
  }
  const std::span<const double> last(medians_.end() - kBinsOfLine, medians_.end());
  constexpr double kShare = 0.1;
  constexpr double kFloor = 20'000;
  const double moved = std::abs(MannKendall(last).slope) * (kBinsOfLine - 1);
  return moved <= std::max(kShare * Median(last), kFloor);
}

bool WarmupRule::IsOver(Nanos now) const {
  if (request_count_ > 0) {
    return ended_count_ >= request_count_;
  }
  return now - start_ >= max_ || is_flat();
}

}  // namespace headrace::bench
