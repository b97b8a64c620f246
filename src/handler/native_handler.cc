#include "handler/native_handler.h"

#include <utility>

#include "base/check.h"
#include "handler/image_classifier.h"
#include "handler/image_segmenter.h"
#include "handler/object_detector.h"
#include "handler/text_classifier.h"

namespace headrace::handler {

bool IsNativeHandler(std::string_view name) {
  return name == "image_classifier" || name == "image_segmenter" || name == "object_detector" ||
         name == kTextClassifier;
}

std::unique_ptr<const NativeHandler> MakeNativeHandler(std::string_view name,
                                                       NativeHandlerOptions options) {
  HEADRACE_CHECK(IsNativeHandler(name));
  if (name == "image_segmenter") {
    return std::make_unique<ImageSegmenter>(options);
  }
  if (name == kTextClassifier) {
    return std::make_unique<TextClassifier>(std::move(options));
  }
  if (name == "object_detector") {
    return std::make_unique<ObjectDetector>(std::move(options));
  }
  return std::make_unique<ImageClassifier>(std::move(options));
}

}  // namespace headrace::handler
