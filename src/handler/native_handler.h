// TorchServe's default handlers without Python: what they make of a request before the model, and
// of the model's outputs after it (contracts, TorchServe 8.4).
#ifndef HEADRACE_HANDLER_NATIVE_HANDLER_H_
#define HEADRACE_HANDLER_NATIVE_HANDLER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/signature.h"
#include "handler/label_map.h"
#include "handler/request_content.h"
#include "handler/vocabulary.h"
#include "image/decode.h"
#include "tensor/block_pool.h"
#include "tensor/tensor.h"

namespace headrace::handler {

struct NativeHandlerOptions {
  std::int64_t batch_size_max = 1;
  LabelMap labels = {};
  std::int64_t class_count_max = 5;                        // of image_classifier: the best so many
  double score_min = 0.5;                                  // of object_detector
  bool limit_pixels = true;                                // false: limit_max_image_pixels is off
  std::shared_ptr<const Vocabulary> vocabulary = nullptr;  // of text_classifier, which needs it
};

// What preprocessing takes its memory from.
struct Workshop {
  BlockPool& pool;
  image::DecodeOptions decoding;
};

// Immutable once made; thread-safe.
class NativeHandler {
 public:
  virtual ~NativeHandler() = default;
  // The inputs and the outputs of the model's call; the first input is the request's.
  virtual const engine::ModelSignature& signature() const = 0;
  // The input for one request, with a batch dimension of 1 if the signature has batches.
  // INVALID_ARGUMENT says what is wrong with the request. May take long: decodes images.
  virtual Result<Tensor> Preprocess(const RequestContent& content, const Workshop& shop) const = 0;
  // The further inputs, which are the same for all requests.
  virtual std::span<const NamedTensor> fixed_inputs() const { return {}; }
  // Whether the model answers a list of dictionaries, one for each image, which become the outputs.
  virtual bool takes_detections() const { return false; }
  // The answer to one request, from the model's outputs for it (on the host).
  virtual Result<std::string> Postprocess(std::span<const NamedTensor> outputs) const = 0;
  // Whether Postprocess takes so long that instances should not wait for it.
  virtual bool answers_are_large() const { return false; }
};

inline constexpr std::string_view kTextClassifier = "text_classifier";

// Whether there is a native handler of that name.
bool IsNativeHandler(std::string_view name);
// Requires IsNativeHandler(name).
std::unique_ptr<const NativeHandler> MakeNativeHandler(std::string_view name,
                                                       NativeHandlerOptions options);

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_NATIVE_HANDLER_H_
