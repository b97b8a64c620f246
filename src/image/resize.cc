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

inline std::uint8_t Rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> ResampleWeights::kPrecisionBits, 0, 255));
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

Status ResizeAndCrop::Begin(std::uint32_t width, std::uint32_t height) {
  HEADRACE_CHECK(crop_side_ <= shorter_side_);
  const std::uint64_t shorter = std::min(width, height), longer = std::max(width, height);
  // torchvision: int(size * long / short), in Python's floating point.
  const auto stretched = static_cast<std::uint64_t>(
      static_cast<double>(std::uint64_t{shorter_side_} * longer) / static_cast<double>(shorter));
  const std::uint64_t out_width = width <= height ? shorter_side_ : stretched;
  const std::uint64_t out_height = width <= height ? stretched : shorter_side_;
  const auto first = [this](std::uint64_t size) { return HalfToEven(size - crop_side_); };
  columns_ = RowNarrower(ResampleWeights::Bilinear(width, out_width, first(out_width), crop_side_));
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
    columns_.Narrow(rgb, &kept_[(y - kept_begin_) * stride()]);
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
