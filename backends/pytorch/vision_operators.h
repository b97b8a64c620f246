// The operators of torchvision that its detection models are made of, for a process without it.
#ifndef HEADRACE_BACKENDS_PYTORCH_VISION_OPERATORS_H_
#define HEADRACE_BACKENDS_PYTORCH_VISION_OPERATORS_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace headrace::backend {

// Registers torchvision::nms and torchvision::roi_align with PyTorch, once for the process, unless
// they are there already; and the name of box_iou_rotated, which models have for training alone and
// which fails when it is called. A TorchScript file that names them loads from then on. On a device
// they compute on the host, and copy. May throw c10::Error.
void RegisterVisionOperators();

// Non-maximum suppression: the indices of the boxes [n, 4] (x1, y1, x2, y2) that stay, by score,
// the highest first. A box goes that overlaps a better one by more than `iou_threshold` of their
// union. Of equal scores the one that comes first is the better one.
at::Tensor Nms(const at::Tensor& boxes, const at::Tensor& scores, double iou_threshold);

// Averages of `input` [N, C, H, W] at bilinear samples within each of the `rois` [n, 5] (image, x1,
// y1, x2, y2), which are multiplied by `spatial_scale`: [n, C, pooled_height, pooled_width]. Each
// bin has sampling_ratio squared samples; 0 or less: as many as it has pixels. `aligned` moves
// pixels' centres by a half.
at::Tensor RoiAlign(const at::Tensor& input, const at::Tensor& rois, double spatial_scale,
                    std::int64_t pooled_height, std::int64_t pooled_width,
                    std::int64_t sampling_ratio, bool aligned);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_VISION_OPERATORS_H_
