// TorchServe's text_classifier: the probabilities of all classes of a text.
#ifndef HEADRACE_HANDLER_TEXT_CLASSIFIER_H_
#define HEADRACE_HANDLER_TEXT_CLASSIFIER_H_

#include <memory>
#include <span>
#include <string>

#include "handler/native_handler.h"
#include "handler/vocabulary.h"

namespace headrace::handler {

// The model is called with the numbers of the text's words and pairs of words, and with where the
// text begins among them: a vector and [0], as an EmbeddingBag takes them. Texts are never batched.
class TextClassifier final : public NativeHandler {
 public:
  // Requires a vocabulary in `options`.
  explicit TextClassifier(NativeHandlerOptions options);

  const engine::ModelSignature& signature() const override { return signature_; }
  std::span<const NamedTensor> fixed_inputs() const override { return {&offsets_, 1}; }
  Result<Tensor> Preprocess(const RequestContent& content, const Workshop& shop) const override;
  // {label: probability} of all classes, in their order.
  Result<std::string> Postprocess(std::span<const NamedTensor> outputs) const override;

 private:
  const NativeHandlerOptions options_;
  engine::ModelSignature signature_;
  NamedTensor offsets_;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_TEXT_CLASSIFIER_H_
