// object_detector: boxes of what a detection model finds.
#ifndef HEADRACE_HANDLER_OBJECT_DETECTOR_H_
#define HEADRACE_HANDLER_OBJECT_DETECTOR_H_

#include <span>
#include <string>

#include "handler/native_handler.h"

namespace headrace::handler {

// The model takes `image` [N, 3, H, W], each of 0 to 1 and of the size that it was sent in; images
// of one size make a batch. It gives `boxes` [N, K, 4], `labels` [N, K], `scores` [N, K] and, since
// they are filled up to the largest number of detections of an image, `count` [N, 1] (the pytorch
// backend's DETECTIONS). The answer is [{label: [x1, y1, x2, y2], "score": s}, ...] with what has a
// score of at least score_min.
class ObjectDetector final : public NativeHandler {
 public:
  explicit ObjectDetector(NativeHandlerOptions options);
  const engine::ModelSignature& signature() const override { return signature_; }
  Result<Tensor> Preprocess(const RequestContent& content, const Workshop& shop) const override;
  bool takes_detections() const override { return true; }
  Result<std::string> Postprocess(std::span<const NamedTensor> outputs) const override;

 private:
  const NativeHandlerOptions options_;
  engine::ModelSignature signature_;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_OBJECT_DETECTOR_H_
