// A log-linear histogram: fixed memory, bounded relative error, mergeable.
#ifndef HEADRACE_TELEMETRY_HISTOGRAM_H_
#define HEADRACE_TELEMETRY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

namespace headrace::telemetry {

// Values are non-negative integers (nanoseconds, bytes, counts). 16 sub-buckets per power of two:
// relative error of a bucket's bound at most 1/16. `Record` is two relaxed atomic additions.
// Thread-safe; concurrent reads see some recent state.
class Histogram {
 public:
  static constexpr int kSubBucketBits = 4;
  static constexpr int kBucketCount = (64 - kSubBucketBits + 1) << kSubBucketBits;

  // The bucket that counts `value`, and the largest value that `bucket` counts.
  static int BucketOf(std::uint64_t value);
  static std::uint64_t BucketBound(int bucket);

  void Record(std::uint64_t value);
  // Adds all samples of `other`.
  void Merge(const Histogram& other);
  std::uint64_t count() const;
  std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  // Samples <= bound, exact when `bound` is a bucket bound, else counted up to the last bucket that
  // fits below it.
  std::uint64_t CountAtMost(std::uint64_t bound) const;
  // CountAtMost of each bound, in one pass: `bounds` ascend, `counts` is as long. Returns the count
  // of all samples.
  std::uint64_t CumulativeCounts(std::span<const std::uint64_t> bounds,
                                 std::span<std::uint64_t> counts) const;
  // The smallest bucket bound that at least `quantile` (0..1) of the samples do not exceed; 0 when
  // empty.
  std::uint64_t Quantile(double quantile) const;

 private:
  std::array<std::atomic<std::uint64_t>, kBucketCount> buckets_{};
  std::atomic<std::uint64_t> sum_{0};
};

}  // namespace headrace::telemetry

#endif  // HEADRACE_TELEMETRY_HISTOGRAM_H_
