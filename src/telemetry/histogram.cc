#include "telemetry/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace headrace::telemetry {
namespace {

constexpr int kSubBuckets = 1 << Histogram::kSubBucketBits;

}  // namespace

int Histogram::BucketOf(std::uint64_t value) {
  if (value < kSubBuckets) {
    return static_cast<int>(value);
  }
  const int exponent = std::bit_width(value) - 1;  // >= kSubBucketBits
  const int shift = exponent - kSubBucketBits;
  const int sub_bucket = static_cast<int>(value >> shift) & (kSubBuckets - 1);
  return ((shift + 1) << kSubBucketBits) + sub_bucket;
}

std::uint64_t Histogram::BucketBound(int bucket) {
  if (bucket < kSubBuckets) {
    return static_cast<std::uint64_t>(bucket);
  }
  const int shift = (bucket >> kSubBucketBits) - 1;
  const auto leading = static_cast<std::uint64_t>(kSubBuckets + (bucket & (kSubBuckets - 1)));
  // The last value before the next bucket begins; for the last bucket the addition wraps to
  // UINT64_MAX as it should.
  return ((leading + 1) << shift) - 1;
}

void Histogram::Record(std::uint64_t value) {
  buckets_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

void Histogram::Merge(const Histogram& other) {
  for (int i = 0; i < kBucketCount; ++i) {
    if (const auto n = other.buckets_[i].load(std::memory_order_relaxed); n != 0) {
      buckets_[i].fetch_add(n, std::memory_order_relaxed);
    }
  }
  sum_.fetch_add(other.sum(), std::memory_order_relaxed);
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (const auto& bucket : buckets_) {
    total += bucket.load(std::memory_order_relaxed);
  }
  return total;
}

std::uint64_t Histogram::CountAtMost(std::uint64_t bound) const {
  std::uint64_t result = 0;
  CumulativeCounts({&bound, 1}, {&result, 1});
  return result;
}

std::uint64_t Histogram::CumulativeCounts(std::span<const std::uint64_t> bounds,
                                          std::span<std::uint64_t> counts) const {
  HEADRACE_CHECK(bounds.size() == counts.size());
  std::uint64_t total = 0;
  std::size_t next = 0;
  for (int i = 0; i < kBucketCount; ++i) {
    while (next < bounds.size() && bounds[next] < BucketBound(i)) {
      counts[next++] = total;
    }
    total += buckets_[i].load(std::memory_order_relaxed);
  }
  std::fill(counts.begin() + next, counts.end(), total);
  return total;
}

std::uint64_t Histogram::Quantile(double quantile) const {
  // One copy, so that the rank and the walk see the same samples.
  std::array<std::uint64_t, kBucketCount> samples;
  std::uint64_t total = 0;
  for (int i = 0; i < kBucketCount; ++i) {
    samples[i] = buckets_[i].load(std::memory_order_relaxed);
    total += samples[i];
  }
  if (total == 0) {
    return 0;
  }
  const double wanted = std::ceil(std::clamp(quantile, 0.0, 1.0) * static_cast<double>(total));
  const std::uint64_t rank =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, total);
  std::uint64_t seen = 0;
  for (int i = 0; i < kBucketCount; ++i) {
    seen += samples[i];
    if (seen >= rank) {
      return BucketBound(i);
    }
  }
  return BucketBound(kBucketCount - 1);
}

}  // namespace headrace::telemetry
