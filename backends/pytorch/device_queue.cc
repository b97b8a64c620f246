#include "pytorch/device_queue.h"

#include <ATen/ops/empty.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <cstring>

#include "pytorch/tensors.h"
#include "pytorch/torch_version.h"

namespace headrace::backend {
namespace {

c10::Device DeviceOf(const Placement& placement) {
  if (placement.kind != Placement::Kind::kGpu) {
    return c10::Device(c10::DeviceType::CPU);
  }
  return c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(placement.gpu));
}

}  // namespace

DeviceQueue::DeviceQueue(const Placement& placement) : device_(DeviceOf(placement)) {
  if (!on_host()) {
    stream_ = c10::impl::VirtualGuardImpl(device_.type()).getStreamFromGlobalPool(device_);
  }
}

at::Tensor DeviceQueue::BytesAt(const void* data, std::size_t byte_size,
                                const MemoryPlace& place) const {
  const std::array<std::int64_t, 1> shape = {static_cast<std::int64_t>(byte_size)};
  const c10::Device device =
      place.on_host() ? c10::Device(c10::DeviceType::CPU)
                      : c10::Device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(place.id));
  return TensorOver(data, shape, at::kByte, device);
}

at::Tensor& DeviceQueue::Reserve(at::Tensor& memory, std::size_t byte_size, bool pinned) {
  const auto wanted = static_cast<std::int64_t>(byte_size);
  if (!memory.defined() || memory.numel() < wanted) {
    memory.reset();  // before the new one, so that the peak is one block
    at::TensorOptions options = at::TensorOptions().dtype(at::kByte);
    options = pinned ? options.device(at::kCPU).pinned_memory(!on_host()) : options.device(device_);
    memory = at::empty({wanted}, options);
  }
  return memory;
}

const void* DeviceQueue::Join(std::size_t slot, std::span<const InputPart> parts,
                              std::size_t byte_size) {
  if (parts.empty()) {
    return nullptr;
  }
  const InputPart& first = parts.front();
  const bool here = on_host() ? first.place.on_host()
                              : !first.place.on_host() && first.place.id == device_.index();
  if (parts.size() == 1 && here) {
    return first.bytes.data();
  }
  if (slot >= inputs_.size()) {
    inputs_.resize(slot + 1);
  }
  at::Tensor& target = Reserve(inputs_[slot].device, byte_size, false);
  at::Tensor& pinned = on_host() ? target : Reserve(inputs_[slot].pinned, byte_size, true);
  std::size_t offset = 0;
  std::size_t staged = 0;  // bytes before `offset` that wait in pinned memory
  const auto flush = [&] {
    if (staged != 0 && !on_host()) {
      const auto begin = static_cast<std::int64_t>(offset - staged);
      const auto length = static_cast<std::int64_t>(staged);
      target.narrow(0, begin, length).copy_(pinned.narrow(0, begin, length), /*non_blocking=*/true);
    }
    staged = 0;
  };
  for (const InputPart& part : parts) {
    if (part.place.on_host()) {
      std::memcpy(pinned.data_ptr<std::uint8_t>() + offset, part.bytes.data(), part.bytes.size());
      staged += part.bytes.size();
    } else {
      flush();
      target
          .narrow(0, static_cast<std::int64_t>(offset),
                  static_cast<std::int64_t>(part.bytes.size()))
          .copy_(BytesAt(part.bytes.data(), part.bytes.size(), part.place), /*non_blocking=*/true);
    }
    offset += part.bytes.size();
  }
  flush();
  return target.data_ptr();
}

void DeviceQueue::CopyOut(std::span<const std::byte> source, std::span<std::byte> destination,
                          const MemoryPlace& place) {
  const at::Tensor from =
      BytesAt(source.data(), source.size(),
              on_host() ? MemoryPlace{} : MemoryPlace{TRITONSERVER_MEMORY_GPU, device_.index()});
  if (!place.on_host() || on_host()) {
    BytesAt(destination.data(), destination.size(), place).copy_(from, /*non_blocking=*/true);
    return;
  }
  // A copy to memory that is not pinned would wait for the device by itself, once for each request.
  const at::Tensor pinned =
      at::empty({static_cast<std::int64_t>(source.size())},
                at::TensorOptions().dtype(at::kByte).device(at::kCPU).pinned_memory(true));
  pinned.copy_(from, /*non_blocking=*/true);
  copies_.push_back({destination, pinned});
}

void DeviceQueue::Wait() {
  if (stream_) {
    c10::impl::VirtualGuardImpl(device_.type()).synchronizeStream(*stream_);
  }
  for (const CopyBack& copy : copies_) {
    std::memcpy(copy.destination.data(), copy.pinned.data_ptr(), copy.destination.size());
  }
  copies_.clear();
}

Error DeviceQueue::CheckCacheCleaning() {
#if HEADRACE_TORCH_AT_LEAST(2, 9)
  return {};
#else
  return Unsupported(
      "parameter 'ENABLE_CACHE_CLEANING': this backend was built with PyTorch {}.{}, it needs 2.9",
      TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR);
#endif
}

void DeviceQueue::CleanCache() {
#if HEADRACE_TORCH_AT_LEAST(2, 9)
  if (!on_host()) {
    at::getDeviceAllocator(device_.type())->emptyCache();
  }
#endif
}

}  // namespace headrace::backend
