#include "pytorch/vision_operators.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <vector>

namespace headrace::backend {
namespace {

constexpr std::int64_t kSamplesMax = 4096;  // of a bin, in one direction

// --- nms

template <typename T>
struct Box {
  T x1, y1, x2, y2;
  T area() const { return (x2 - x1) * (y2 - y1); }
};

template <typename T>
at::Tensor NmsOf(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold) {
  const at::Tensor order = at::argsort(scores, /*stable=*/true, /*dim=*/0, /*descending=*/true);
  const std::int64_t count = boxes.size(0);
  const auto* const ranked = order.const_data_ptr<std::int64_t>();
  const auto* const box = reinterpret_cast<const Box<T>*>(boxes.const_data_ptr<T>());
  std::vector<bool> gone(static_cast<std::size_t>(count));
  at::Tensor kept = at::empty({count}, order.options());
  auto* const out = kept.mutable_data_ptr<std::int64_t>();
  std::int64_t kept_count = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t best = ranked[i];
    if (gone[static_cast<std::size_t>(best)]) {
      continue;
    }
    out[kept_count++] = best;
    const Box<T> a = box[best];
    for (std::int64_t k = i + 1; k < count; ++k) {
      const std::int64_t other = ranked[k];
      const Box<T>& b = box[other];
      const T width = std::max<T>(0, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
      const T height = std::max<T>(0, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
      const T shared = width * height;
      const T overlap = shared / (a.area() + b.area() - shared);
      if (static_cast<double>(overlap) > iou_threshold) {
        gone[static_cast<std::size_t>(other)] = true;
      }
    }
  }
  return kept.narrow(0, 0, kept_count).clone();
}

// --- roi_align

// One bilinear sample: four pixels and their weights. Those of a sample outside are 0.
template <typename T>
struct Sample {
  std::array<std::int64_t, 4> at{};
  std::array<T, 4> weight{};
};

template <typename T>
Sample<T> SampleAt(T y, T x, std::int64_t height, std::int64_t width) {
  Sample<T> sample;
  // Not the other way round: what is no number is outside, too.
  if (!(y >= -1 && y <= static_cast<T>(height) && x >= -1 && x <= static_cast<T>(width))) {
    return sample;
  }
  const auto split = [](T value, std::int64_t size, std::int64_t& low, std::int64_t& high) {
    value = std::max<T>(value, 0);
    low = static_cast<std::int64_t>(value);
    if (low >= size - 1) {
      low = high = size - 1;
      return T{0};
    }
    high = low + 1;
    return value - static_cast<T>(low);
  };
  std::int64_t top = 0, bottom = 0, left = 0, right = 0;
  const T down = split(y, height, top, bottom), along = split(x, width, left, right);
  sample.at = {top * width + left, top * width + right, bottom * width + left,
               bottom * width + right};
  sample.weight = {(1 - down) * (1 - along), (1 - down) * along, down * (1 - along), down * along};
  return sample;
}

struct RoiShape {
  std::int64_t height = 0, width = 0;  // of the input
  std::int64_t pooled_height = 0, pooled_width = 0;
  std::int64_t sampling_ratio = 0;
  double scale = 1;
  bool aligned = false;
};

// The samples of all bins of one region, in the order of the bins; `per_bin` of each.
template <typename T>
std::vector<Sample<T>> SamplesOf(const T* roi, const RoiShape& shape, std::int64_t& per_bin) {
  const T scale = static_cast<T>(shape.scale), offset = shape.aligned ? T(0.5) : T(0);
  const T left = roi[1] * scale - offset, top = roi[2] * scale - offset;
  T width = roi[3] * scale - offset - left, height = roi[4] * scale - offset - top;
  if (!shape.aligned) {
    width = std::max<T>(width, 1);
    height = std::max<T>(height, 1);
  }
  const T bin_width = width / static_cast<T>(shape.pooled_width);
  const T bin_height = height / static_cast<T>(shape.pooled_height);
  const auto samples_along = [&](T bin) {
    if (shape.sampling_ratio > 0) {
      return shape.sampling_ratio;
    }
    const T wanted = std::ceil(bin);
    return wanted > 0 ? static_cast<std::int64_t>(std::min<T>(wanted, kSamplesMax)) : 0;
  };
  const std::int64_t rows = samples_along(bin_height), columns = samples_along(bin_width);
  per_bin = rows * columns;
  std::vector<Sample<T>> samples;
  samples.reserve(static_cast<std::size_t>(shape.pooled_height * shape.pooled_width * per_bin));
  for (std::int64_t py = 0; py < shape.pooled_height; ++py) {
    for (std::int64_t px = 0; px < shape.pooled_width; ++px) {
      for (std::int64_t iy = 0; iy < rows; ++iy) {
        const T y = top + static_cast<T>(py) * bin_height +
                    (static_cast<T>(iy) + T(0.5)) * bin_height / static_cast<T>(rows);
        for (std::int64_t ix = 0; ix < columns; ++ix) {
          const T x = left + static_cast<T>(px) * bin_width +
                      (static_cast<T>(ix) + T(0.5)) * bin_width / static_cast<T>(columns);
          samples.push_back(SampleAt(y, x, shape.height, shape.width));
        }
      }
    }
  }
  return samples;
}

template <typename T>
at::Tensor RoiAlignOf(const at::Tensor& input, const at::Tensor& rois, const RoiShape& shape) {
  const std::int64_t count = rois.size(0), channels = input.size(1), images = input.size(0);
  const std::int64_t plane = shape.height * shape.width;
  const std::int64_t bins = shape.pooled_height * shape.pooled_width;
  at::Tensor output =
      at::empty({count, channels, shape.pooled_height, shape.pooled_width}, input.options());
  const T* const pixels = input.const_data_ptr<T>();
  const T* const regions = rois.const_data_ptr<T>();
  T* const out = output.mutable_data_ptr<T>();
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const T* const roi = regions + n * 5;
      TORCH_CHECK(roi[0] >= 0 && roi[0] < static_cast<T>(images), "roi_align: region ", n,
                  " is of image ", roi[0], " of ", images);
      std::int64_t per_bin = 0;
      const std::vector<Sample<T>> samples = SamplesOf(roi, shape, per_bin);
      const T divisor = static_cast<T>(std::max<std::int64_t>(per_bin, 1));
      const T* image = pixels + static_cast<std::int64_t>(roi[0]) * channels * plane;
      T* to = out + n * channels * bins;
      for (std::int64_t c = 0; c < channels; ++c, image += plane) {
        const Sample<T>* sample = samples.data();
        for (std::int64_t bin = 0; bin < bins; ++bin) {
          T sum = 0;
          for (std::int64_t i = 0; i < per_bin; ++i, ++sample) {
            sum += sample->weight[0] * image[sample->at[0]] +
                   sample->weight[1] * image[sample->at[1]] +
                   sample->weight[2] * image[sample->at[2]] +
                   sample->weight[3] * image[sample->at[3]];
          }
          *to++ = sum / divisor;
        }
      }
    }
  });
  return output;
}

// As the host computes it: half precision in single.
at::Tensor Prepared(const at::Tensor& tensor, at::ScalarType type) {
  return tensor.to(at::kCPU, type).contiguous();
}

at::ScalarType ComputedIn(at::ScalarType type) { return type == at::kDouble ? type : at::kFloat; }

// Models name it in the half of them that trains, so that it has to be known when they are loaded.
at::Tensor BoxIouRotated(const at::Tensor&, const at::Tensor&) {
  TORCH_CHECK(false, "torchvision::box_iou_rotated is not available here: it is for training");
}

void Register() {
  const auto missing = [](const char* name) {
    return !c10::Dispatcher::singleton().findSchema({name, ""}).has_value();
  };
  // Never taken back: models that use them may outlive any owner.
  static auto* const library =
      new torch::Library(torch::Library::FRAGMENT, "torchvision", std::nullopt, __FILE__, __LINE__);
  if (missing("torchvision::nms")) {
    library->def("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor");
    library->impl("nms",
                  torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, TORCH_FN(Nms)));
  }
  if (missing("torchvision::box_iou_rotated")) {
    library->def("box_iou_rotated(Tensor boxes1, Tensor boxes2) -> Tensor");
    library->impl("box_iou_rotated", torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd,
                                                     TORCH_FN(BoxIouRotated)));
  }
  if (missing("torchvision::roi_align")) {
    library->def(
        "roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, "
        "int pooled_width, int sampling_ratio, bool aligned) -> Tensor");
    library->impl("roi_align",
                  torch::dispatch(c10::DispatchKey::CompositeExplicitAutograd, TORCH_FN(RoiAlign)));
  }
}

}  // namespace

void RegisterVisionOperators() {
  static std::once_flag once;
  std::call_once(once, Register);
}

at::Tensor Nms(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold) {
  TORCH_CHECK(boxes.dim() == 2 && boxes.size(1) == 4, "nms: boxes are [n, 4], not ", boxes.sizes());
  TORCH_CHECK(scores.dim() == 1 && scores.size(0) == boxes.size(0), "nms: ", boxes.size(0),
              " boxes have scores of shape ", scores.sizes());
  const at::ScalarType type = ComputedIn(boxes.scalar_type());
  const at::Tensor host_boxes = Prepared(boxes, type), host_scores = Prepared(scores, type);
  const at::Tensor kept = type == at::kDouble
                              ? NmsOf<double>(host_boxes, host_scores, iou_threshold)
                              : NmsOf<float>(host_boxes, host_scores, iou_threshold);
  return kept.to(boxes.device());
}

at::Tensor RoiAlign(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                    std::int64_t pooled_height, std::int64_t pooled_width,
                    std::int64_t sampling_ratio, bool aligned) {
  TORCH_CHECK(input.dim() == 4, "roi_align: the input is [n, c, h, w], not ", input.sizes());
  TORCH_CHECK(rois.dim() == 2 && rois.size(1) == 5, "roi_align: regions are [n, 5], not ",
              rois.sizes());
  TORCH_CHECK(pooled_height > 0 && pooled_width > 0 && sampling_ratio <= kSamplesMax,
              "roi_align: bins of ", pooled_height, " x ", pooled_width, ", sampling ratio ",
              sampling_ratio);
  TORCH_CHECK(input.size(2) > 0 && input.size(3) > 0, "roi_align: the input has no pixels");
  const at::ScalarType type = ComputedIn(input.scalar_type());
  const at::Tensor host_input = Prepared(input, type), host_rois = Prepared(rois, type);
  const RoiShape shape{.height = input.size(2),
                       .width = input.size(3),
                       .pooled_height = pooled_height,
                       .pooled_width = pooled_width,
                       .sampling_ratio = sampling_ratio,
                       .scale = spatial_scale,
                       .aligned = aligned};
  const at::Tensor output = type == at::kDouble ? RoiAlignOf<double>(host_input, host_rois, shape)
                                                : RoiAlignOf<float>(host_input, host_rois, shape);
  return output.to(input.device(), input.scalar_type());
}

}  // namespace headrace::backend
