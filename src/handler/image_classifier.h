// image_classifier: the likeliest classes of an image, best first, as {label: probability}.
#ifndef HEADRACE_HANDLER_IMAGE_CLASSIFIER_H_
#define HEADRACE_HANDLER_IMAGE_CLASSIFIER_H_

#include <span>
#include <string>
#include <vector>

#include "handler/native_handler.h"

namespace headrace::handler {

// Of at least one score.
std::vector<float> Softmax(std::span<const float> scores);

// The model takes `image` [N, 3, H, W] and gives `scores` [N, classes].
class ImageClassifier final : public NativeHandler {
 public:
  explicit ImageClassifier(NativeHandlerOptions options);
  const engine::ModelSignature& signature() const override { return signature_; }
  Result<Tensor> Preprocess(const RequestContent& content, const Workshop& shop) const override;
  Result<std::string> Postprocess(std::span<const NamedTensor> outputs) const override;

 private:
  const NativeHandlerOptions options_;
  engine::ModelSignature signature_;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_IMAGE_CLASSIFIER_H_
