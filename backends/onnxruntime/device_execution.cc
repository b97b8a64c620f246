#include "onnxruntime/device_execution.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace headrace::backend {

Error DeviceMemory::OfGpu(std::int64_t gpu, std::optional<DeviceMemory>* memory) {
  std::shared_ptr<DeviceCopy> copy;
  HEADRACE_BACKEND_RETURN_IF_ERROR(OpenCudaCopy(gpu, &copy));
  // The names that the runtime's CUDA provider registers its allocators under.
  const int id = static_cast<int>(gpu);
  memory->emplace(DeviceMemory{
      .device = Ort::MemoryInfo("Cuda", OrtDeviceAllocator, id, OrtMemTypeDefault),
      .pinned = Ort::MemoryInfo("CudaPinned", OrtDeviceAllocator, id, OrtMemTypeCPUOutput),
      .place = {TRITONSERVER_MEMORY_GPU, gpu},
      .copy = std::move(copy)});
  return {};
}

OnnxDeviceExecution::OnnxDeviceExecution(std::shared_ptr<OnnxSession> session,
                                         const SessionSettings& settings, DeviceMemory memory)
    : session_(std::move(session)),
      memory_(std::move(memory)),
      host_(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)),
      pinned_allocator_(session_->session(), memory_.pinned),
      binding_(session_->session()) {
  if (!settings.arena_shrinkage.empty()) {
    run_options_.AddConfigEntry("memory.enable_memory_arena_shrinkage",
                                settings.arena_shrinkage.c_str());
  }
  staging_.resize(session_->tensors().inputs.size());
  Clear();
}

void OnnxDeviceExecution::Clear() {
  strings_.reset();
  outputs_.clear();
  inputs_.clear();
  for (std::size_t i = 0; i < session_->tensors().inputs.size(); ++i) {
    inputs_.emplace_back(nullptr);
  }
  binding_.ClearBoundInputs();
  binding_.ClearBoundOutputs();
}

bool OnnxDeviceExecution::IsUsedInPlace(std::span<const InputPart> parts) const {
  return parts.size() == 1 && (parts[0].place.on_host() || parts[0].place.id == memory_.place.id);
}

Error OnnxDeviceExecution::Join(std::size_t index, std::span<const InputPart> parts,
                                std::size_t byte_size, std::span<std::byte>* joined) {
  Staging& staging = staging_[index];
  if (staging.byte_size < byte_size) {
    staging = {};  // before the new one, so that the peak is one block
    staging.memory =
        std::make_unique<Ort::MemoryAllocation>(pinned_allocator_.GetAllocation(byte_size));
    staging.byte_size = byte_size;
  }
  *joined = {static_cast<std::byte*>(staging.memory->get()), byte_size};
  std::size_t offset = 0;
  for (const InputPart& part : parts) {
    const std::span<std::byte> target = joined->subspan(offset, part.bytes.size());
    if (part.place.on_host()) {
      std::memcpy(target.data(), part.bytes.data(), part.bytes.size());
    } else {
      HEADRACE_BACKEND_RETURN_IF_ERROR(memory_.copy->Copy(part.bytes, target));
    }
    offset += part.bytes.size();
  }
  return {};
}

Error OnnxDeviceExecution::BindInput(std::size_t index, std::span<const std::byte> bytes,
                                     std::span<const std::int64_t> shape) {
  const InputPart part{.bytes = bytes, .place = {}};
  return BindInputParts(index, {&part, bytes.empty() ? 0u : 1u}, bytes.size(), shape);
}

Error OnnxDeviceExecution::BindInputParts(std::size_t index, std::span<const InputPart> parts,
                                          std::size_t byte_size,
                                          std::span<const std::int64_t> shape) {
  const TensorInfo& info = session_->tensors().inputs[index];
  if (info.dtype == TRITONSERVER_TYPE_BYTES) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(BindStrings(index, parts, byte_size, shape));
  } else {
    std::span<const std::byte> bytes;
    const OrtMemoryInfo* where = host_;
    if (IsUsedInPlace(parts)) {
      bytes = parts[0].bytes;
      where = !parts[0].place.on_host()                               ? memory_.device
              : parts[0].place.type == TRITONSERVER_MEMORY_CPU_PINNED ? memory_.pinned
                                                                      : host_;
    } else if (!parts.empty()) {
      std::span<std::byte> joined;
      HEADRACE_BACKEND_RETURN_IF_ERROR(Join(index, parts, byte_size, &joined));
      bytes = joined;
      where = memory_.pinned;
    }
    // The runtime does not write into inputs; its interface has no const.
    inputs_[index] =
        Ort::Value::CreateTensor(where, const_cast<std::byte*>(bytes.data()), bytes.size(),
                                 shape.data(), shape.size(), OnnxFromDataType(info.dtype));
  }
  binding_.BindInput(info.name.c_str(), inputs_[index]);
  return {};
}

Error OnnxDeviceExecution::BindStrings(std::size_t index, std::span<const InputPart> parts,
                                       std::size_t byte_size, std::span<const std::int64_t> shape) {
  std::vector<std::byte> serialised;
  serialised.reserve(byte_size);
  for (const InputPart& part : parts) {
    if (!part.place.on_host()) {
      return Unsupported("input '{}': strings in GPU memory",
                         session_->tensors().inputs[index].name);
    }
    serialised.insert(serialised.end(), part.bytes.begin(), part.bytes.end());
  }
  return MakeStringTensor(serialised, shape, &inputs_[index]);
}

Error OnnxDeviceExecution::Run(const std::vector<bool>& wanted) {
  output_slot_.assign(wanted.size(), 0);
  std::size_t count = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const TensorInfo& info = session_->tensors().outputs[i];
    if (wanted[i]) {
      binding_.BindOutput(info.name.c_str(),
                          info.dtype == TRITONSERVER_TYPE_BYTES ? host_ : memory_.device);
      output_slot_[i] = count++;
    }
  }
  if (count == 0) {
    return {};
  }
  session_->session().Run(run_options_, binding_);
  binding_.SynchronizeOutputs();
  outputs_ = binding_.GetOutputValues();
  return {};
}

Error OnnxDeviceExecution::ReadOutput(std::size_t index, RuntimeOutput* output) {
  const Ort::Value& value = outputs_[output_slot_[index]];
  const auto type = value.GetTensorTypeAndShapeInfo();
  output->dtype = DataTypeFromOnnx(type.GetElementType());
  output->shape = type.GetShape();
  if (output->dtype == TRITONSERVER_TYPE_BYTES) {
    output->strings = &strings_.emplace(value);
    return {};
  }
  output->place = memory_.place;
  output->bytes = {static_cast<const std::byte*>(value.GetTensorRawData()),
                   type.GetElementCount() * TRITONSERVER_DataTypeByteSize(output->dtype)};
  return {};
}

Error OnnxDeviceExecution::CopyOutput(std::size_t index, std::size_t offset,
                                      std::span<std::byte> destination, const MemoryPlace&) {
  RuntimeOutput output;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadOutput(index, &output));
  return memory_.copy->Copy(output.bytes.subspan(offset, destination.size()), destination);
}

}  // namespace headrace::backend
