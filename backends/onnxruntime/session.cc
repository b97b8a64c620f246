#include "onnxruntime/session.h"

#include <array>
#include <utility>

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

Error OnnxSession::Load(const std::string& path, const SessionSettings& settings,
                        std::shared_ptr<OnnxSession>* session) {
  return Guarded("onnxruntime", [&]() -> Error {
    SharedEnvironment(settings);  // before anything else of the runtime
    session->reset(new OnnxSession(path, settings));
    return {};
  });
}

OnnxSession::OnnxSession(const std::string& path, const SessionSettings& settings)
    : session_(SharedEnvironment(settings), path.c_str(), MakeSessionOptions(settings)) {
  const Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
    tensors_.inputs.push_back(
        Describe(session_.GetInputNameAllocated(i, allocator).get(), session_.GetInputTypeInfo(i)));
  }
  for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
    tensors_.outputs.push_back(Describe(session_.GetOutputNameAllocated(i, allocator).get(),
                                        session_.GetOutputTypeInfo(i)));
  }
}

}  // namespace headrace::backend
