#include "onnxruntime/execution.h"

#include <utility>

namespace headrace::backend {

OnnxExecution::OnnxExecution(std::shared_ptr<OnnxSession> session, const SessionSettings& settings)
    : session_(std::move(session)),
      memory_(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)) {
  if (!settings.arena_shrinkage.empty()) {
    run_options_.AddConfigEntry("memory.enable_memory_arena_shrinkage",
                                settings.arena_shrinkage.c_str());
  }
  Clear();
}

void OnnxExecution::Clear() {
  strings_.reset();
  input_names_.clear();
  inputs_.clear();
  outputs_.clear();
  for (std::size_t i = 0; i < session_->tensors().outputs.size(); ++i) {
    outputs_.emplace_back(nullptr);
  }
}

Error OnnxExecution::BindInput(std::size_t index, std::span<const std::byte> bytes,
                               std::span<const std::int64_t> shape) {
  const TensorInfo& info = session_->tensors().inputs[index];
  input_names_.push_back(info.name.c_str());
  Ort::Value& input = inputs_.emplace_back(nullptr);
  if (info.dtype == TRITONSERVER_TYPE_BYTES) {
    return MakeStringTensor(bytes, shape, &input);
  }
  // The runtime does not write into inputs; its interface has no const.
  input = Ort::Value::CreateTensor(memory_, const_cast<std::byte*>(bytes.data()), bytes.size(),
                                   shape.data(), shape.size(), OnnxFromDataType(info.dtype));
  return {};
}

bool OnnxExecution::CanBindOutput(std::size_t) const { return true; }

bool OnnxExecution::BindOutput(std::size_t index, std::span<std::byte> destination,
                               std::span<const std::int64_t> shape) {
  outputs_[index] = Ort::Value::CreateTensor(
      memory_, destination.data(), destination.size(), shape.data(), shape.size(),
      OnnxFromDataType(session_->tensors().outputs[index].dtype));
  return true;
}

Error OnnxExecution::Run(const std::vector<bool>& wanted) {
  run_names_.clear();
  run_values_.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i]) {
      run_names_.push_back(session_->tensors().outputs[i].name.c_str());
      run_values_.push_back(std::move(outputs_[i]));
    }
  }
  if (run_names_.empty()) {
    return {};
  }
  session_->session().Run(run_options_, input_names_.data(), inputs_.data(), inputs_.size(),
                          run_names_.data(), run_values_.data(), run_values_.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i]) {
      outputs_[i] = std::move(run_values_[next++]);
    }
  }
  run_values_.clear();
  return {};
}

Error OnnxExecution::ReadOutput(std::size_t index, RuntimeOutput* output) {
  const Ort::Value& value = outputs_[index];
  const auto type = value.GetTensorTypeAndShapeInfo();
  output->dtype = DataTypeFromOnnx(type.GetElementType());
  output->shape = type.GetShape();
  if (output->dtype == TRITONSERVER_TYPE_BYTES) {
    output->strings = &strings_.emplace(value);
    return {};
  }
  output->bytes = {static_cast<const std::byte*>(value.GetTensorRawData()),
                   type.GetElementCount() * TRITONSERVER_DataTypeByteSize(output->dtype)};
  return {};
}

}  // namespace headrace::backend
