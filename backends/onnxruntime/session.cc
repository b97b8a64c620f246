#include "onnxruntime/session.h"

#include <array>
#include <fstream>
#include <utility>

#include "onnxruntime/providers.h"

namespace headrace::backend {
namespace {

constexpr std::array<std::pair<ONNXTensorElementDataType, TRITONSERVER_DataType>, 14> kTypes = {{
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, TRITONSERVER_TYPE_BOOL},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, TRITONSERVER_TYPE_UINT8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, TRITONSERVER_TYPE_UINT16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, TRITONSERVER_TYPE_UINT32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, TRITONSERVER_TYPE_UINT64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, TRITONSERVER_TYPE_INT8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, TRITONSERVER_TYPE_INT16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, TRITONSERVER_TYPE_INT32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, TRITONSERVER_TYPE_INT64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, TRITONSERVER_TYPE_FP16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, TRITONSERVER_TYPE_FP32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, TRITONSERVER_TYPE_FP64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, TRITONSERVER_TYPE_BYTES},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, TRITONSERVER_TYPE_BF16},
}};

TensorInfo Describe(std::string name, const Ort::TypeInfo& type) {
  TensorInfo info;
  info.name = std::move(name);
  if (type.GetONNXType() == ONNX_TYPE_TENSOR) {
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    info.dtype = DataTypeFromOnnx(tensor.GetElementType());
    info.shape = tensor.GetShape();
  }
  return info;
}

// Files of weights in memory, until the session has made its own of them.
class ExternalWeights {
 public:
  Error Read(const std::vector<ExternalFile>& files) {
    for (const ExternalFile& file : files) {
      auto& bytes = buffers_.emplace_back(file.byte_size);
      std::ifstream stream(file.path, std::ios::binary);
      if (!stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        return Unavailable("unable to read {} bytes from '{}'", file.byte_size, file.path);
      }
      names_.push_back(file.location);
      starts_.push_back(bytes.data());
      sizes_.push_back(bytes.size());
    }
    return {};
  }

  // They must live until the session is made.
  void HandOver(Ort::SessionOptions& options) const {
    if (!names_.empty()) {
      options.AddExternalInitializersFromFilesInMemory(names_, starts_, sizes_);
    }
  }

 private:
  std::vector<std::vector<char>> buffers_;
  std::vector<std::string> names_;
  std::vector<char*> starts_;
  std::vector<std::size_t> sizes_;
};

}  // namespace

TRITONSERVER_DataType DataTypeFromOnnx(ONNXTensorElementDataType type) {
  for (const auto& [onnx, triton] : kTypes) {
    if (onnx == type) {
      return triton;
    }
  }
  return TRITONSERVER_TYPE_INVALID;
}

ONNXTensorElementDataType OnnxFromDataType(TRITONSERVER_DataType dtype) {
  for (const auto& [onnx, triton] : kTypes) {
    if (triton == dtype) {
      return onnx;
    }
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

Error OnnxSession::Load(const OnnxFiles& files, const SessionSettings& settings,
                        const SessionDevice& device, std::shared_ptr<OnnxSession>* session) {
  return Guarded("onnxruntime", [&]() -> Error {
    SharedEnvironment(settings);  // before anything else of the runtime
    Ort::SessionOptions options;
    HEADRACE_BACKEND_RETURN_IF_ERROR(OptionsFor(settings, device, &options));
    return Make(files, settings, device, std::move(options), session);
  });
}

Error OnnxSession::LoadRecording(const OnnxFiles& files, const SessionSettings& settings,
                                 const SessionDevice& device, const std::string& prefix,
                                 std::shared_ptr<OnnxSession>* session) {
  return Guarded("onnxruntime", [&]() -> Error {
    Ort::SessionOptions options;
    HEADRACE_BACKEND_RETURN_IF_ERROR(OptionsFor(settings, device, &options));
    options.EnableProfiling(prefix.c_str());
    return Make(files, settings, device, std::move(options), session);
  });
}

Error OnnxSession::OptionsFor(const SessionSettings& settings, const SessionDevice& device,
                              Ort::SessionOptions* options) {
  *options = MakeSessionOptions(settings);
  return device.on_gpu ? AppendGpu(settings.accelerators.gpu, device.gpu, *options) : Error();
}

Error OnnxSession::LoadWithOpenVino(const OnnxFiles& files, const SessionSettings& settings,
                                    std::shared_ptr<OnnxSession>* session) {
  return Guarded("onnxruntime", [&]() -> Error {
    Ort::SessionOptions options = MakeSessionOptions(settings);
    AppendOpenVino(*settings.accelerators.openvino, options);
    return Make(files, settings, {}, std::move(options), session);
  });
}

Error OnnxSession::Make(const OnnxFiles& files, const SessionSettings& settings,
                        const SessionDevice& device, Ort::SessionOptions options,
                        std::shared_ptr<OnnxSession>* session) {
  ExternalWeights weights;
  HEADRACE_BACKEND_RETURN_IF_ERROR(weights.Read(files.external));
  weights.HandOver(options);
  session->reset(new OnnxSession(files.path, SharedEnvironment(settings), options, device));
  return {};
}

OnnxSession::OnnxSession(const std::string& path, const Ort::Env& environment,
                         const Ort::SessionOptions& options, const SessionDevice& device)
    : session_(environment, path.c_str(), options), device_(device) {
  const Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
    tensors_.inputs.push_back(
        Describe(session_.GetInputNameAllocated(i, allocator).get(), session_.GetInputTypeInfo(i)));
  }
  for (std::size_t i = 0; i < session_.GetOverridableInitializerCount(); ++i) {
    tensors_.inputs.push_back(
        Describe(session_.GetOverridableInitializerNameAllocated(i, allocator).get(),
                 session_.GetOverridableInitializerTypeInfo(i)));
    tensors_.inputs.back().has_default = true;
  }
  for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
    tensors_.outputs.push_back(Describe(session_.GetOutputNameAllocated(i, allocator).get(),
                                        session_.GetOutputTypeInfo(i)));
  }
}

}  // namespace headrace::backend
