#include "handler/native_handler.h"

#include <utility>

#include "base/check.h"
#include "handler/image_classifier.h"
#include "handler/image_segmenter.h"

namespace headrace::handler {

bool IsNativeHandler(std::string_view name) {
  return name == "image_classifier" || name == "image_segmenter";
}

std::unique_ptr<const NativeHandler> MakeNativeHandler(std::string_view name,
                                                       NativeHandlerOptions options) {
  HEADRACE_CHECK(IsNativeHandler(name));
  if (name == "image_segmenter") {
    return std::make_unique<ImageSegmenter>(options);
  }
  return std::make_unique<ImageClassifier>(std::move(options));
}

}  // namespace headrace::handler
