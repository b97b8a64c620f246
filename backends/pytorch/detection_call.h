// How a detection model is called, whose answer is no tensor: a list of dictionaries, one for each
// image.
#ifndef HEADRACE_BACKENDS_PYTORCH_DETECTION_CALL_H_
#define HEADRACE_BACKENDS_PYTORCH_DETECTION_CALL_H_

#include <ATen/core/function_schema.h>
#include <ATen/core/ivalue.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/model_config.h"

namespace headrace::backend {

// For models with the parameter DETECTIONS, as torchvision's are: forward(images: List[Tensor],
// ...) or forward(images: Tensor, ...), which answers List[Dict[str, Tensor]], alone or as the last
// part of a tuple. The one input [N, C, H, W] is given as it is, or as N images; other arguments
// have their defaults.
//
// Each output of the configuration is a key of the dictionaries, and becomes one tensor [N, most,
// ...]: `most` is the largest number of detections of an image of the batch, and what an image has
// fewer is filled with zeros. The output `count` [N, 1], INT64, says how many each has.
//
// Settled once per model; then immutable and thread-safe.
class DetectionCall {
 public:
  static constexpr const char* kCountName = "count";

  // INVALID_ARG where the method or the configuration is of another form.
  static Error Plan(const c10::FunctionSchema& forward, const ModelConfig& config,
                    DetectionCall* call);

  // The stack for one call.
  std::vector<c10::IValue> Arguments(const at::Tensor& images) const;
  // Takes the answer for `image_count` images apart. INTERNAL says what it was instead. May throw.
  Error Outputs(const c10::IValue& answer, std::int64_t image_count,
                const std::vector<bool>& wanted, std::vector<c10::IValue>* outputs) const;

 private:
  Error Join(const c10::List<c10::IValue>& found, std::size_t output, c10::IValue* joined) const;

  bool takes_list_ = false;
  std::vector<c10::IValue> defaults_;  // of the arguments behind the images
  std::vector<std::string> outputs_;   // keys, and kCountName
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_DETECTION_CALL_H_
