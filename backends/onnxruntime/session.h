// A loaded ONNX model: the runtime's session and what it says about inputs and outputs.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_H_

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/error.h"
#include "common/model_tensors.h"
#include "onnxruntime/session_options.h"
#include "triton_abi.h"

namespace headrace::backend {

// INVALID for element types that the protocol lacks.
TRITONSERVER_DataType DataTypeFromOnnx(ONNXTensorElementDataType type);
ONNXTensorElementDataType OnnxFromDataType(TRITONSERVER_DataType dtype);

// One session serves all CPU instances of a model: Run is thread-safe, so that weights and thread
// pool exist once. Immutable after Load.
class OnnxSession {
 public:
  // Blocks. INTERNAL with the runtime's text when the file cannot be loaded; exceptions do not
  // leave.
  static Error Load(const std::string& path, const SessionSettings& settings,
                    std::shared_ptr<OnnxSession>* session);

  Ort::Session& session() { return session_; }
  const ModelTensors& tensors() const { return tensors_; }

 private:
  OnnxSession(const std::string& path, const SessionSettings& settings);

  Ort::Session session_;
  ModelTensors tensors_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_H_
