// A log-linear histogram: fixed memory, bounded relative error, mergeable.
#ifndef HEADRACE_TELEMETRY_HISTOGRAM_H_
#define HEADRACE_TELEMETRY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

namespace headrace::telemetry {

// Values are non-negative integers (nanoseconds, bytes, counts). 16 sub-buckets per power of two: relative error of a
// bucket's bound at most 1/16. `Record` is two relaxed atomic additions. Thread-safe; concurrent reads see some recent
// state.
class Histogram {
 public:
  static constexpr int kSubBucketBits = 4;
  static constexpr int kBucketCount = (64 - kSubBucketBits + 1) << kSubBucketBits;

  void Record(std::uint64_t value);
  std::uint64_t count() const;
  std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  // Samples <= bound, exact when `bound` is a bucket bound, else counted up to the last bucket that fits below it.
  std::uint64_t CountAtMost(std::uint64_t bound) const;
  // The smallest bucket bound that at least `quantile` (0..1) of the samples do not exceed; 0 when empty.
  std::uint64_t Quantile(double quantile) const;

 private:
  std::array<std::atomic<std::uint64_t>, kBucketCount> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
};

}  // namespace headrace::telemetry

#endif  // HEADRACE_TELEMETRY_HISTOGRAM_H_
