// A small histogram for one second of a run: 0.4 % of error in a few kilobytes.
#ifndef HEADRACE_BENCH_COARSE_HISTOGRAM_H_
#define HEADRACE_BENCH_COARSE_HISTOGRAM_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace headrace::bench {

// Values are non-negative nanoseconds. A value type; one thread.
class CoarseHistogram {
 public:
  void Record(Nanos value) {
    const std::size_t index = IndexOf(static_cast<std::uint64_t>(std::max<Nanos>(value, 0)));
    if (index >= counts_.size()) {
      counts_.resize(index + 1);
    }
    ++counts_[index];
    ++count_;
  }
  std::uint64_t count() const { return count_; }

  // The middle of the bucket of the `rank`-th smallest value, from 1; 0 when there are fewer.
  Nanos ValueAtRank(std::uint64_t rank) const {
    std::uint64_t below = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
      below += counts_[index];
      if (below >= rank && counts_[index] > 0) {
        return MiddleOf(index);
      }
    }
    return 0;
  }

 private:
  static constexpr int kBits = 7;  // sub-buckets per power of two, as a power of two
  static constexpr std::uint64_t kHalf = std::uint64_t{1} << kBits;

  static std::size_t IndexOf(std::uint64_t value) {
    if (value < kHalf) {
      return value;
    }
    const int shift = std::bit_width(value) - 1 - kBits;
    return (static_cast<std::size_t>(shift) << kBits) + static_cast<std::size_t>(value >> shift);
  }
  static Nanos MiddleOf(std::size_t index) {
    if (index < kHalf) {
      return static_cast<Nanos>(index);
    }
    const int shift = static_cast<int>(index >> kBits) - 1;
    const std::uint64_t low = (kHalf + (index & (kHalf - 1))) << shift;
    return static_cast<Nanos>(low + ((std::uint64_t{1} << shift) >> 1));
  }

  std::vector<std::uint32_t> counts_;
  std::uint64_t count_ = 0;
};

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_COARSE_HISTOGRAM_H_
