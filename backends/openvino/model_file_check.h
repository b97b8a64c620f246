// What a model file must look like before OpenVINO sees it.
#ifndef HEADRACE_BACKENDS_OPENVINO_MODEL_FILE_CHECK_H_
#define HEADRACE_BACKENDS_OPENVINO_MODEL_FILE_CHECK_H_

#include <string>

#include "common/error.h"

namespace headrace::backend {

struct ModelSource {
  std::string path;             // of the model's file, or of a SavedModel's directory
  std::string model_directory;  // external data must be in it
};

// The runtime tells formats apart by content, whatever a file is called. So that an ONNX model
// under another name does not get by the check of its external data, a file must be what its name
// says: .xml, .onnx, .tflite, .pb or .graphdef; a directory is a SavedModel. INVALID_ARG says what
// it is not. Blocks on the file system.
Error CheckModelFile(const ModelSource& source);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_OPENVINO_MODEL_FILE_CHECK_H_
