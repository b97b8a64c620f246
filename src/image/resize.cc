#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

// The loops over pixels once for each kind of processor that matters, chosen when the program
// starts. A sanitizer instruments the choice itself, before it is ready.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define HEADRACE_PIXEL_LOOP __attribute__((target_clones("avx2", "sse4.1", "default")))
#else
#define HEADRACE_PIXEL_LOOP
#endif

namespace headrace::image {
namespace {

using Window = ResampleWeights::Window;

constexpr std::int32_t kHalf = 1 << (ResampleWeights::kPrecisionBits - 1);

typedef std::uint8_t Pixel4 __attribute__((vector_size(4)));
typedef std::int32_t Sum4 __attribute__((vector_size(16)));

double Triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

inline std::uint8_t Rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> ResampleWeights::kPrecisionBits, 0, 255));
}

// Three channels at once: the fourth lane is the next pixel's, and is left alone.
HEADRACE_PIXEL_LOOP
void NarrowRow(const std::uint8_t* rgb, const Window* windows, std::size_t count,
               const std::int32_t* weights, std::uint8_t* out) {
  for (std::size_t x = 0; x < count; ++x) {
    const Window& window = windows[x];
    const std::uint8_t* pixel = rgb + std::size_t{window.begin} * 3;
    const std::int32_t* weight = weights + window.weight;
    Sum4 sum = {kHalf, kHalf, kHalf, 0};
    for (std::uint32_t i = 0; i < window.count; ++i, pixel += 3) {
      Pixel4 channels;
      std::memcpy(&channels, pixel, sizeof channels);
      sum += __builtin_convertvector(channels, Sum4) * weight[i];
    }
    out[0] = Rounded(sum[0]);
    out[1] = Rounded(sum[1]);
    out[2] = Rounded(sum[2]);
    out += 3;
  }
}

HEADRACE_PIXEL_LOOP
void AddWeighted(const std::uint8_t* row, std::int32_t weight, std::size_t count,
                 std::int32_t* sums) {
  for (std::size_t i = 0; i < count; ++i) {
    sums[i] += row[i] * weight;
  }
}

HEADRACE_PIXEL_LOOP
void RoundAll(const std::int32_t* sums, std::size_t count, std::uint8_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = Rounded(sums[i]);
  }
}

// Python's round: halves go to the even neighbour.
std::uint64_t HalfToEven(std::uint64_t twice) {
  const std::uint64_t floor = twice / 2;
  return twice % 2 == 0 ? floor : floor + floor % 2;
}

}  // namespace

ResampleWeights ResampleWeights::Bilinear(std::uint32_t in_size, std::uint64_t out_size,
                                          std::uint64_t first, std::uint32_t count) {
  ResampleWeights result;
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_scale;  // of the triangle: 1
  const double step = 1.0 / filter_scale;
  std::vector<double> exact;
  for (std::uint64_t out = first; out < first + count; ++out) {
    const double center = (static_cast<double>(out) + 0.5) * scale;
    const auto begin =
        static_cast<std::uint32_t>(std::max(0, static_cast<int>(center - support + 0.5)));
    const std::uint32_t end =
        std::min(in_size, static_cast<std::uint32_t>(static_cast<int>(center + support + 0.5)));
    exact.clear();
    double total = 0;
    for (std::uint32_t i = begin; i < end; ++i) {
      const double weight =
          Triangle((static_cast<double>(static_cast<int>(i - begin) + static_cast<int>(begin)) -
                    center + 0.5) *
                   step);
      exact.push_back(weight);
      total += weight;
    }
    result.windows.push_back({begin, end - begin, result.weights.size()});
    for (double weight : exact) {
      weight = total != 0 ? weight / total : weight;
      const double fixed = weight * (1 << kPrecisionBits);
      result.weights.push_back(static_cast<std::int32_t>(weight < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return result;
}

Status ResizeAndCrop::Begin(std::uint32_t width, std::uint32_t height) {
  HEADRACE_CHECK(crop_side_ <= shorter_side_);
  const std::uint64_t shorter = std::min(width, height), longer = std::max(width, height);
  // torchvision: int(size * long / short), in Python's floating point.
  const auto stretched = static_cast<std::uint64_t>(
      static_cast<double>(std::uint64_t{shorter_side_} * longer) / static_cast<double>(shorter));
  const std::uint64_t out_width = width <= height ? shorter_side_ : stretched;
  const std::uint64_t out_height = width <= height ? stretched : shorter_side_;
  const auto first = [this](std::uint64_t size) { return HalfToEven(size - crop_side_); };
  columns_ = ResampleWeights::Bilinear(width, out_width, first(out_width), crop_side_);
  rows_ = ResampleWeights::Bilinear(height, out_height, first(out_height), crop_side_);
  row_ = 0;
  kept_begin_ = rows_.windows.front().begin;
  kept_end_ = rows_.windows.back().begin + rows_.windows.back().count;
  kept_.resize(std::size_t{kept_end_ - kept_begin_} * stride());
  sums_.resize(stride());
  return OkStatus();
}

void ResizeAndCrop::Row(const std::uint8_t* rgb) {
  const std::uint32_t y = row_++;
  if (y >= kept_begin_ && y < kept_end_) {
    NarrowRow(rgb, columns_.windows.data(), columns_.windows.size(), columns_.weights.data(),
              &kept_[(y - kept_begin_) * stride()]);
  }
}

void ResizeAndCrop::ReadRow(std::uint32_t y, std::span<std::uint8_t> rgb) {
  HEADRACE_CHECK(y < crop_side_ && rgb.size() == stride());
  const Window& window = rows_.windows[y];
  std::fill(sums_.begin(), sums_.end(), kHalf);
  for (std::uint32_t i = 0; i < window.count; ++i) {
    AddWeighted(&kept_[(window.begin + i - kept_begin_) * stride()],
                rows_.weights[window.weight + i], stride(), sums_.data());
  }
  RoundAll(sums_.data(), stride(), rgb.data());
}

}  // namespace headrace::image
