#include "image/resample_weights.h"

#include <algorithm>
#include <cmath>

namespace headrace::image {
namespace {

double Triangle(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
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

}  // namespace headrace::image
