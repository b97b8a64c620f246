// The accelerator openvino where ONNX Runtime has none: OpenVINO itself runs the model.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_OPENVINO_ACCELERATOR_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_OPENVINO_ACCELERATOR_H_

#include <memory>
#include <string>

#include "common/accelerated_model.h"
#include "common/error.h"
#include "onnxruntime/accelerators.h"

namespace headrace::backend {

// Loads the model of `config` from `path` with the openvino backend's library, which lies in
// <backend_directory>/../openvino. `options` are the accelerator's parameters, and go to OpenVINO
// as a model's parameters do. UNSUPPORTED if that library is not there; the failure of the load
// otherwise. Blocks.
Error LoadWithOpenVino(const std::string& path, const std::string& model_directory,
                       const std::string& backend_directory, const ModelConfig& config,
                       ProviderOptions options, std::shared_ptr<AcceleratedModel>* model);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_OPENVINO_ACCELERATOR_H_
