#include "image/narrow_row.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace headrace::image {
namespace {

using Window = ResampleWeights::Window;

constexpr std::uint32_t kHalf = 1U << (ResampleWeights::kPrecisionBits - 1);
// Where a weight of at most 1 << kPrecisionBits is cut in two: both parts fit 16 bits with a sign.
constexpr int kLowerBits = 11;
// Of one output pixel; the sums of the lower parts stay within 32 bits.
constexpr std::uint32_t kWeightCountMax = 4096;

inline std::uint8_t Rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> ResampleWeights::kPrecisionBits, 0, 255));
}

#if defined(__x86_64__)

bool HasVectors() { return __builtin_cpu_supports("avx2") != 0; }

// The sums of one output pixel's channels and a lane that means nothing.
__attribute__((target("avx2"))) inline __m128i SumOf(const std::uint8_t* pixel,
                                                     const RowNarrower::FourWeights* weights,
                                                     std::uint32_t count) {
  // Pixels 0 and 1 below, 2 and 3 above, as pairs of 16 bits for each channel.
  const __m256i pairs =
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,  //
                       6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  const __m256i upper_places = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256i lower_places = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
  __m256i upper = _mm256_setzero_si256(), lower = _mm256_setzero_si256();
  for (std::uint32_t i = 0; i < count; ++i, pixel += 12) {
    const __m256i four =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights + i)));
    const __m256i channels = _mm256_shuffle_epi8(
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pixel))),
        pairs);
    upper = _mm256_add_epi32(
        upper, _mm256_madd_epi16(channels, _mm256_permutevar8x32_epi32(four, upper_places)));
    lower = _mm256_add_epi32(
        lower, _mm256_madd_epi16(channels, _mm256_permutevar8x32_epi32(four, lower_places)));
  }
  const __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(upper, kLowerBits), lower);
  return _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

__attribute__((target("avx2"))) inline __m128i Rounded(__m128i sum) {
  return _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(kHalf)), ResampleWeights::kPrecisionBits);
}

__attribute__((target("avx2"))) void NarrowByVectors(const std::uint8_t* rgb,
                                                     const RowNarrower::Group* groups,
                                                     std::size_t count,
                                                     const RowNarrower::FourWeights* weights,
                                                     std::uint8_t* out) {
  const __m128i without_fourth =
      _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  const auto next = [&](std::size_t x) __attribute__((target("avx2"))) {
    const __m128i sum = SumOf(rgb + groups[x].first_byte, weights, groups[x].count);
    weights += groups[x].count;
    return Rounded(sum);
  };
  std::size_t x = 0;
  for (; x + 4 <= count; x += 4, out += 12) {
    const __m128i first = next(x), second = next(x + 1);
    const __m128i third = next(x + 2), fourth = next(x + 3);
    const __m128i bytes = _mm_shuffle_epi8(
        _mm_packus_epi16(_mm_packs_epi32(first, second), _mm_packs_epi32(third, fourth)),
        without_fourth);
    std::memcpy(out, &bytes, 12);
  }
  for (; x < count; ++x, out += 3) {
    const __m128i sum = next(x);
    const __m128i words = _mm_packs_epi32(sum, sum);
    const __m128i bytes = _mm_packus_epi16(words, words);
    std::memcpy(out, &bytes, 3);
  }
}

#else

bool HasVectors() { return false; }
void NarrowByVectors(const std::uint8_t*, const RowNarrower::Group*, std::size_t,
                     const RowNarrower::FourWeights*, std::uint8_t*) {}

#endif

}  // namespace

RowNarrower::RowNarrower(ResampleWeights weights) : weights_(std::move(weights)) {
  const auto& windows = weights_.windows;
  if (!HasVectors() || std::any_of(windows.begin(), windows.end(), [](const Window& window) {
        return window.count > kWeightCountMax;
      })) {
    return;
  }
  groups_.reserve(windows.size());
  for (const Window& window : windows) {
    const std::uint32_t count = (window.count + 3) / 4;
    groups_.push_back({window.begin * 3, count});
    const std::size_t first = fours_.size();
    fours_.resize(first + count);
    for (std::uint32_t i = 0; i < window.count; ++i) {
      const std::int32_t weight = weights_.weights[window.weight + i];
      FourWeights& four = fours_[first + i / 4];
      four.upper[i % 4] = static_cast<std::int16_t>(weight >> kLowerBits);
      four.lower[i % 4] = static_cast<std::int16_t>(weight & ((1 << kLowerBits) - 1));
    }
  }
}

void RowNarrower::Narrow(const std::uint8_t* rgb, std::uint8_t* out) const {
  if (groups_.empty()) {
    NarrowPlainly(rgb, out);
  } else {
    NarrowByVectors(rgb, groups_.data(), groups_.size(), fours_.data(), out);
  }
}

void RowNarrower::NarrowPlainly(const std::uint8_t* rgb, std::uint8_t* out) const {
  for (const Window& window : weights_.windows) {
    const std::uint8_t* pixel = rgb + std::size_t{window.begin} * 3;
    std::int32_t sums[] = {kHalf, kHalf, kHalf};
    for (std::uint32_t i = 0; i < window.count; ++i, pixel += 3) {
      const std::int32_t weight = weights_.weights[window.weight + i];
      for (int c = 0; c < 3; ++c) {
        sums[c] += pixel[c] * weight;
      }
    }
    for (int c = 0; c < 3; ++c) {
      *out++ = Rounded(sums[c]);
    }
  }
}

}  // namespace headrace::image
