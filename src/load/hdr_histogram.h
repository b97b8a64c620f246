// A high-dynamic-range histogram: three significant digits from a nanosecond to hours.
#ifndef HEADRACE_LOAD_HDR_HISTOGRAM_H_
#define HEADRACE_LOAD_HDR_HISTOGRAM_H_

#include <cstdint>
#include <string>
#include <vector>

namespace headrace::load {

// Values are non-negative integers (nanoseconds); what is above the largest (about 73 minutes)
// counts as the largest. Memory grows with the range that was recorded. A value type; one thread.
class HdrHistogram {
 public:
  static constexpr int kSubBucketBits = 11;  // 2,048 sub-buckets per power of two: error < 0.1 %
  static constexpr std::int64_t kValueMax = (std::int64_t{1} << 42) - 1;

  void Record(std::int64_t value, std::uint64_t count = 1);
  void Merge(const HdrHistogram& other);

  std::uint64_t count() const { return count_; }
  std::int64_t min() const;  // exact; 0 when empty
  std::int64_t max() const;  // exact; 0 when empty
  double Mean() const;
  double Deviation() const;  // of the population
  // The value that the `rank`-th smallest sample (from 1) does not exceed, to the bucket's bound.
  std::int64_t ValueAtRank(std::uint64_t rank) const;
  std::int64_t ValueAtPercentile(double percentile) const;  // 0..100; 0 when empty
  std::uint64_t CountAtMost(std::int64_t value) const;

  // One bucket that has samples.
  struct Bucket {
    std::int64_t low, high;  // both inclusive
    std::uint64_t count;
  };
  std::vector<Bucket> Buckets() const;

  // HdrHistogram's percentile distribution (.hgrm), values divided by `unit`.
  std::string PercentileText(double unit) const;

 private:
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::int64_t min_ = 0, max_ = 0;
  double sum_ = 0, sum_of_squares_ = 0;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_HDR_HISTOGRAM_H_
