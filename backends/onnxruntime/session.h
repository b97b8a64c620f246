// A loaded ONNX model: the runtime's session and what it says about inputs and outputs.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_H_

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/error.h"
#include "onnxruntime/session_options.h"
#include "triton_abi.h"

namespace headrace::backend {

// INVALID for element types that the protocol lacks.
TRITONSERVER_DataType DataTypeFromOnnx(ONNXTensorElementDataType type);
ONNXTensorElementDataType OnnxFromDataType(TRITONSERVER_DataType dtype);

struct OnnxTensorInfo {
  std::string name;
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;
  std::vector<std::int64_t> shape;  // with the batch dimension, if the model has one; -1 = any
};

// One session serves all CPU instances of a model: Run is thread-safe, so that weights and thread
// pool exist once. Immutable after Load.
class OnnxSession {
 public:
  // Blocks. INTERNAL with the runtime's text when the file cannot be loaded; exceptions do not
  // leave.
  static Error Load(const std::string& path, const SessionSettings& settings,
                    std::shared_ptr<OnnxSession>* session);

  Ort::Session& session() { return session_; }
  const std::vector<OnnxTensorInfo>& inputs() const { return inputs_; }
  const std::vector<OnnxTensorInfo>& outputs() const { return outputs_; }
  const OnnxTensorInfo* FindInput(const std::string& name) const;
  const OnnxTensorInfo* FindOutput(const std::string& name) const;
  // Every input and output has a first dimension of any extent.
  bool CanBatch() const;

 private:
  OnnxSession(const std::string& path, const SessionSettings& settings);

  Ort::Session session_;
  std::vector<OnnxTensorInfo> inputs_;
  std::vector<OnnxTensorInfo> outputs_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_H_
