// image_segmenter: the class of each pixel, as lists of height x width x [class, probability].
#ifndef HEADRACE_HANDLER_IMAGE_SEGMENTER_H_
#define HEADRACE_HANDLER_IMAGE_SEGMENTER_H_

#include <span>
#include <string>

#include "handler/native_handler.h"

namespace headrace::handler {

// The model takes `image` [N, 3, H, W] and gives `out` [N, classes, H, W], as a tensor or in a
// dictionary.
class ImageSegmenter final : public NativeHandler {
 public:
  explicit ImageSegmenter(const NativeHandlerOptions& options);
  const engine::ModelSignature& signature() const override { return signature_; }
  Result<Tensor> Preprocess(const RequestContent& content, const Workshop& shop) const override;
  Result<std::string> Postprocess(std::span<const NamedTensor> outputs) const override;
  bool answers_are_large() const override { return true; }

 private:
  engine::ModelSignature signature_;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_IMAGE_SEGMENTER_H_
