#include "pytorch/torch_run.h"

#include <ATen/core/List.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <utility>

#include "pytorch/process_settings.h"
#include "pytorch/tensors.h"

namespace headrace::backend {
namespace {

constexpr std::size_t kAlignmentMax = 16;

bool IsAligned(const void* data, std::size_t element_byte_size) {
  return reinterpret_cast<std::uintptr_t>(data) % std::min(element_byte_size, kAlignmentMax) == 0;
}

}  // namespace

TorchRun::TorchRun(const ModelTensors& tensors, const PyTorchSettings& settings,
                   const Placement& placement, bool batches)
    : tensors_(tensors),
      settings_(settings),
      batches_(batches),
      queue_(placement),
      // Where there are devices, other models' outputs may come from them.
      takes_parts_(!queue_.on_host() || CheckDevices().ok()),
      inputs_(tensors.inputs.size()),
      outputs_(tensors.outputs.size()),
      read_(tensors.outputs.size()) {}

Error TorchRun::BindInput(std::size_t index, std::span<const std::byte> bytes,
                          std::span<const std::int64_t> shape) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckInput(index, shape));
  if (tensors_.inputs[index].dtype == TRITONSERVER_TYPE_BYTES) {
    return BindStrings(index, bytes, shape);
  }
  return BindTensor(index, bytes.data(), bytes.size(), shape);
}

Error TorchRun::BindInputParts(std::size_t index, std::span<const InputPart> parts,
                               std::size_t byte_size, std::span<const std::int64_t> shape) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckInput(index, shape));
  return GuardedTorch("PyTorch input", [&]() -> Error {
    const TensorInfo& info = tensors_.inputs[index];
    if (info.dtype == TRITONSERVER_TYPE_BYTES) {
      std::vector<std::byte> joined;
      for (const InputPart& part : parts) {
        if (!part.place.on_host()) {
          return Unsupported("input '{}' is text in GPU memory", info.name);
        }
        joined.insert(joined.end(), part.bytes.begin(), part.bytes.end());
      }
      return BindStrings(index, joined, shape);
    }
    const DeviceQueue::Scope scope(queue_);
    pending_ = true;
    const void* const data = queue_.Join(index, parts, byte_size);
    if (queue_.on_host()) {
      queue_.Wait();
    }
    return BindTensor(index, data, byte_size, shape);
  });
}

Error TorchRun::BindTensor(std::size_t index, const void* data, std::size_t byte_size,
                           std::span<const std::int64_t> shape) {
  const TensorInfo& info = tensors_.inputs[index];
  const auto type = TorchFromDataType(info.dtype);
  std::int64_t count = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(CountElements(shape, &count));
  const auto elements = static_cast<std::size_t>(count);
  const std::size_t element_byte_size = TRITONSERVER_DataTypeByteSize(info.dtype);
  if (!type || elements != byte_size / element_byte_size || byte_size % element_byte_size != 0) {
    return InvalidArgument("input '{}': {} bytes are not {} elements of {}", info.name, byte_size,
                           elements, TRITONSERVER_DataTypeString(info.dtype));
  }
  return GuardedTorch("PyTorch input", [&]() -> Error {
    const c10::Device device =
        data == nullptr ? c10::Device(c10::DeviceType::CPU) : queue_.device();
    at::Tensor tensor = TensorOver(data, shape, *type, device);
    if (data == nullptr && !queue_.on_host()) {
      tensor = tensor.to(queue_.device());
    } else if (copies_inputs_ || (queue_.on_host() && !IsAligned(data, element_byte_size))) {
      tensor = tensor.clone();
    }
    inputs_[index] = std::move(tensor);
    return {};
  });
}

Error TorchRun::BindStrings(std::size_t index, std::span<const std::byte> bytes,
                            std::span<const std::int64_t> shape) {
  std::int64_t count = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(CountElements(shape, &count));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      ReadStringElements(bytes, static_cast<std::size_t>(count), &strings_));
  c10::List<std::string> list;
  list.reserve(strings_.size());
  for (std::string& element : strings_) {
    list.push_back(std::move(element));
  }
  inputs_[index] = std::move(list);
  return {};
}

Error TorchRun::Run(const std::vector<bool>& wanted) {
  return GuardedTorch("PyTorch execute failure", [&]() -> Error {
    UseThreads(settings_.intra_op_threads);
    const at::AutoGradMode no_gradients(false);
    const c10::InferenceMode inference(settings_.inference_mode);
    const DeviceQueue::Scope scope(queue_);
    pending_ = true;
    HEADRACE_BACKEND_RETURN_IF_ERROR(Call(inputs_, wanted, &outputs_));
    queue_.Wait();  // so that the statistics tell computing from copying
    pending_ = false;
    return {};
  });
}

Error TorchRun::ReadOutput(std::size_t index, RuntimeOutput* output) {
  return GuardedTorch("PyTorch output", [&]() -> Error {
    const TensorInfo& info = tensors_.outputs[index];
    const c10::IValue& value = outputs_[index];
    if (info.dtype == TRITONSERVER_TYPE_BYTES) {
      return ReadStrings(info, value, output);
    }
    if (!value.isTensor() || !value.toTensor().defined()) {
      return Internal("output '{}' is no tensor but {}", info.name, value.tagKind());
    }
    const c10::InferenceMode inference(settings_.inference_mode);
    const DeviceQueue::Scope scope(queue_);
    at::Tensor tensor = value.toTensor();
    if (tensor.layout() != at::kStrided || tensor.is_quantized()) {
      return Internal(
          "output '{}' is not a dense tensor; let the model call to_dense() or "
          "dequantize()",
          info.name);
    }
    // A model on a device may leave an output on the host, and the other way round with KIND_MODEL.
    if (!tensor.is_cpu() && tensor.device() != queue_.device()) {
      tensor = tensor.cpu();
    }
    read_[index] = tensor.resolve_neg().contiguous();
    const at::Tensor& read = read_[index];
    output->dtype = DataTypeFromTorch(read.scalar_type());
    if (output->dtype != info.dtype) {
      return Internal("output '{}' came as {}, the model configuration says data_type {}",
                      info.name,
                      output->dtype == TRITONSERVER_TYPE_INVALID ? c10::toString(read.scalar_type())
                                                                 : ConfigNameOf(output->dtype),
                      ConfigNameOf(info.dtype));
    }
    output->shape.assign(read.sizes().begin(), read.sizes().end());
    output->bytes = {static_cast<const std::byte*>(read.const_data_ptr()), read.nbytes()};
    if (!read.is_cpu()) {
      output->place = {TRITONSERVER_MEMORY_GPU, read.device().index()};
    }
    return {};
  });
}

Error TorchRun::ReadStrings(const TensorInfo& info, const c10::IValue& value,
                            RuntimeOutput* output) {
  strings_.clear();
  if (value.isString()) {
    strings_.push_back(value.toStringRef());
  } else if (value.isList() && value.toList().elementType()->kind() == c10::TypeKind::StringType) {
    for (const c10::IValue& element : value.toListRef()) {
      strings_.push_back(element.toStringRef());
    }
  } else {
    return Internal("output '{}' is no list of strings but {}", info.name, value.tagKind());
  }
  const auto count = static_cast<std::int64_t>(strings_.size());
  output->dtype = TRITONSERVER_TYPE_BYTES;
  output->shape = {count};
  if (batches_) {
    if (row_count_ <= 0 || count % row_count_ != 0) {
      return Internal("output '{}' has {} strings, which are not {} equal rows", info.name, count,
                      row_count_);
    }
    output->shape = {row_count_, count / row_count_};
  }
  output->strings = &string_span_.emplace(strings_);
  return {};
}

Error TorchRun::CopyOutput(std::size_t index, std::size_t offset, std::span<std::byte> destination,
                           const MemoryPlace& place) {
  return GuardedTorch("PyTorch output", [&]() -> Error {
    const DeviceQueue::Scope scope(queue_);
    pending_ = true;
    const auto* const data = static_cast<const std::byte*>(read_[index].const_data_ptr());
    queue_.CopyOut({data + offset, destination.size()}, destination, place);
    return {};
  });
}

Error TorchRun::FinishOutputs() {
  if (queue_.on_host()) {
    return {};
  }
  return GuardedTorch("PyTorch output", [&]() -> Error {
    const DeviceQueue::Scope scope(queue_);
    queue_.Wait();
    pending_ = false;
    return {};
  });
}

void TorchRun::Clear() {
  if (pending_ && !queue_.on_host()) {
    // A failed batch: its memory goes away now.
    (void)FinishOutputs();
  }
  pending_ = false;
  inputs_.assign(inputs_.size(), {});
  outputs_.assign(outputs_.size(), {});
  read_.assign(read_.size(), {});
  strings_.clear();
  string_span_.reset();
  if (settings_.clean_cache) {
    (void)GuardedTorch("PyTorch cache", [&]() -> Error {
      queue_.CleanCache();
      return {};
    });
  }
}

}  // namespace headrace::backend
