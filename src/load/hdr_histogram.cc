#include "load/hdr_histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

namespace headrace::load {
namespace {

// The layout of HdrHistogram: values below 2^kSubBucketBits have a bucket each; every power of two
// above has half as many, since its lower half is that of the power below.
constexpr int kBits = HdrHistogram::kSubBucketBits;
constexpr std::int64_t kHalf = std::int64_t{1} << (kBits - 1);
// Steps of the percentile distribution between one halving of the rest and the next.
constexpr int kTicksPerHalving = 5;

std::size_t IndexOf(std::int64_t value) {
  const int shift =
      std::max(static_cast<int>(std::bit_width(static_cast<std::uint64_t>(value))) - kBits, 0);
  return static_cast<std::size_t>(shift * kHalf + (value >> shift));
}

HdrHistogram::Bucket BucketAt(std::size_t index, std::uint64_t count) {
  const auto i = static_cast<std::int64_t>(index);
  const auto shift = static_cast<int>(std::max<std::int64_t>(i / kHalf - 1, 0));
  const std::int64_t low = (i - shift * kHalf) << shift;
  return {low, low + (std::int64_t{1} << shift) - 1, count};
}

}  // namespace

void HdrHistogram::Record(std::int64_t value, std::uint64_t count) {
  if (count == 0) {
    return;
  }
  value = std::clamp<std::int64_t>(value, 0, kValueMax);
  const std::size_t index = IndexOf(value);
  if (index >= counts_.size()) {
    counts_.resize(index + 1);
  }
  counts_[index] += count;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  count_ += count;
  const auto number = static_cast<double>(value);
  sum_ += number * static_cast<double>(count);
  sum_of_squares_ += number * number * static_cast<double>(count);
}

void HdrHistogram::Merge(const HdrHistogram& other) {
  if (other.count_ == 0) {
    return;
  }
  if (other.counts_.size() > counts_.size()) {
    counts_.resize(other.counts_.size());
  }
  for (std::size_t i = 0; i < other.counts_.size(); ++i) {
    counts_[i] += other.counts_[i];
  }
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
  sum_of_squares_ += other.sum_of_squares_;
}

std::int64_t HdrHistogram::min() const { return min_; }
std::int64_t HdrHistogram::max() const { return max_; }

double HdrHistogram::Mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

double HdrHistogram::Deviation() const {
  if (count_ == 0) {
    return 0;
  }
  const double mean = Mean();
  return std::sqrt(std::max(sum_of_squares_ / static_cast<double>(count_) - mean * mean, 0.0));
}

std::int64_t HdrHistogram::ValueAtRank(std::uint64_t rank) const {
  if (count_ == 0) {
    return 0;
  }
  rank = std::clamp<std::uint64_t>(rank, 1, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= rank) {
      return std::clamp(BucketAt(i, 0).high, min_, max_);
    }
  }
  return max_;
}

std::int64_t HdrHistogram::ValueAtPercentile(double percentile) const {
  const double rank = std::clamp(percentile, 0.0, 100.0) / 100 * static_cast<double>(count_);
  // A rank that is whole but for the rounding of the product is that rank.
  return ValueAtRank(static_cast<std::uint64_t>(std::ceil(rank - rank * 1e-12)));
}

std::uint64_t HdrHistogram::CountAtMost(std::int64_t value) const {
  if (count_ == 0 || value < 0) {
    return 0;
  }
  if (value >= max_) {
    return count_;
  }
  const std::size_t end = std::min(IndexOf(value) + 1, counts_.size());
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < end; ++i) {
    count += counts_[i];
  }
  return count;
}

std::vector<HdrHistogram::Bucket> HdrHistogram::Buckets() const {
  std::vector<Bucket> buckets;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] != 0) {
      buckets.push_back(BucketAt(i, counts_[i]));
    }
  }
  return buckets;
}

std::string HdrHistogram::PercentileText(double unit) const {
  std::string text = fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile",
                                 "TotalCount", "1/(1-Percentile)");
  const auto out = std::back_inserter(text);
  const auto total = static_cast<double>(count_);
  const std::vector<Bucket> buckets = Buckets();
  std::uint64_t seen = 0;
  double level = 0;  // as a fraction
  for (const Bucket& bucket : buckets) {
    seen += bucket.count;
    const double reached = static_cast<double>(seen) / total;
    const double value = static_cast<double>(std::min(bucket.high, max_)) / unit;
    if (seen == count_) {
      break;  // has the line without a last column
    }
    while (level <= reached) {
      fmt::format_to(out, "{:12.3f} {:2.12f} {:10} {:14.2f}\n", value, level, seen,
                     1 / (1 - level));
      const double halvings = std::floor(std::log2(1 / (1 - level))) + 1;
      level += 1 / (std::exp2(halvings) * kTicksPerHalving);
    }
  }
  if (count_ != 0) {
    fmt::format_to(out, "{:12.3f} {:2.12f} {:10}\n", static_cast<double>(max_) / unit, 1.0, count_);
  }
  fmt::format_to(out, "#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", Mean() / unit,
                 Deviation() / unit);
  fmt::format_to(out, "#[Max     = {:12.3f}, Total count    = {:12}]\n",
                 static_cast<double>(max_) / unit, count_);
  fmt::format_to(out, "#[Buckets = {:12}, SubBuckets     = {:12}]\n",
                 std::max<std::size_t>(counts_.size() / kHalf, 2) - 1, 2 * kHalf);
  return text;
}

}  // namespace headrace::load
