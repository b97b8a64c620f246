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
#include "common/onnx_file.h"
#include "onnxruntime/session_options.h"
#include "triton_abi.h"

namespace headrace::backend {

// INVALID for element types that the protocol lacks.
TRITONSERVER_DataType DataTypeFromOnnx(ONNXTensorElementDataType type);
ONNXTensorElementDataType OnnxFromDataType(TRITONSERVER_DataType dtype);

// The files of a model, inspected (common/onnx_file.h).
struct OnnxFiles {
  std::string path;
  std::vector<ExternalFile> external;
};

// One session serves all instances of a model on one device: Run is thread-safe, so that weights
// and thread pool exist once. Immutable after Load.
class OnnxSession {
 public:
  // Blocks. Files of external data are read into memory before the runtime would map them: one that
  // is truncated while it is mapped ends the process. INTERNAL with the runtime's text when the
  // file cannot be loaded, UNSUPPORTED when the runtime lacks a provider; exceptions do not leave.
  static Error Load(const OnnxFiles& files, const SessionSettings& settings,
                    const SessionDevice& device, std::shared_ptr<OnnxSession>* session);
  // The same, with the runtime's profiler on: it writes to files that begin with `prefix`.
  static Error LoadRecording(const OnnxFiles& files, const SessionSettings& settings,
                             const SessionDevice& device, const std::string& prefix,
                             std::shared_ptr<OnnxSession>* session);
  // The same on the CPU, with OpenVINO behind the runtime. Requires HasOpenVinoProvider.
  static Error LoadWithOpenVino(const OnnxFiles& files, const SessionSettings& settings,
                                std::shared_ptr<OnnxSession>* session);

  Ort::Session& session() { return session_; }
  const ModelTensors& tensors() const { return tensors_; }
  const SessionDevice& device() const { return device_; }

 private:
  OnnxSession(const std::string& path, const Ort::Env& environment,
              const Ort::SessionOptions& options, const SessionDevice& device);
  // Without the model.
  static Error OptionsFor(const SessionSettings& settings, const SessionDevice& device,
                          Ort::SessionOptions* options);
  static Error Make(const OnnxFiles& files, const SessionSettings& settings,
                    const SessionDevice& device, Ort::SessionOptions options,
                    std::shared_ptr<OnnxSession>* session);

  Ort::Session session_;
  ModelTensors tensors_;
  const SessionDevice device_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_SESSION_H_
