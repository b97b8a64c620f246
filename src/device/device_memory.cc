#include "device/device_memory.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace headrace::device {
namespace {

constexpr std::size_t kByteSizeMin = 4096;

// Sizes are rounded to eight steps per doubling, so that freed pieces find new users.
std::size_t Rounded(std::size_t byte_size) {
  if (byte_size <= kByteSizeMin) {
    return kByteSizeMin;
  }
  const std::size_t step = std::bit_floor(byte_size) / 8;
  return (byte_size + step - 1) / step * step;
}

}  // namespace

DeviceMemory::DeviceMemory(Gpus gpus, DeviceMemoryOptions options)
    : gpus_(std::move(gpus)), options_(std::move(options)) {}

DeviceMemory::~DeviceMemory() {
  for (auto& [place, pool] : pools_) {
    ReleaseIdle(place, pool);
  }
  for (const auto& [memory, piece] : pieces_) {
    ToDriver(piece.place, memory);
  }
}

Result<void*> DeviceMemory::AllocatePinned(std::size_t byte_size) {
  if (gpus_.empty()) {
    return Unavailable("there is no page-locked memory without a GPU: {}", gpus_.why_none());
  }
  return Allocate(kPinned, byte_size);
}

Result<void*> DeviceMemory::AllocateGpu(int gpu, std::size_t byte_size) {
  if (gpus_.Find(gpu) == nullptr) {
    return Unavailable("there is no usable GPU {}{}{}", gpu, gpus_.empty() ? ": " : "",
                       gpus_.why_none());
  }
  return Allocate(gpu, byte_size);
}

std::size_t DeviceMemory::LimitOf(int place) const {
  if (place == kPinned) {
    return options_.pinned_byte_size_max;
  }
  const auto found = options_.gpu_byte_size_max_of.find(place);
  return found == options_.gpu_byte_size_max_of.end() ? options_.gpu_byte_size_max : found->second;
}

Result<void*> DeviceMemory::Allocate(int place, std::size_t byte_size) {
  const std::size_t limit = LimitOf(place);
  const char* const what = place == kPinned ? "page-locked memory" : "GPU memory";
  if (byte_size > limit || Rounded(byte_size) > limit) {
    return Unavailable("{} bytes of {} are asked for, the pool has {}", byte_size, what, limit);
  }
  const std::size_t size = Rounded(byte_size);
  std::lock_guard lock(mutex_);
  Pool& pool = pools_[place];
  // A piece of up to a quarter more will do.
  const auto idle = pool.idle.lower_bound(size);
  if (idle != pool.idle.end() && idle->first <= size + size / 4) {
    void* memory = idle->second;
    pieces_[memory] = {place, idle->first};
    pool.used += idle->first;
    pool.idle_byte_size -= idle->first;
    pool.idle.erase(idle);
    return memory;
  }
  if (pool.used + pool.idle_byte_size + size > limit) {
    ReleaseIdle(place, pool);
  }
  if (pool.used + size > limit) {
    return Unavailable("{}: {} of the pool's {} bytes are in use, {} more are asked for", what,
                       pool.used, limit, size);
  }
  HEADRACE_ASSIGN_OR_RETURN(void* memory, FromDriver(place, size));
  pieces_[memory] = {place, size};
  pool.used += size;
  return memory;
}

Result<void*> DeviceMemory::FromDriver(int place, std::size_t byte_size) {
  const int gpu = place == kPinned ? gpus_.usable().front().id : place;
  const Gpus::Current current(gpus_, gpu);
  const CudaDriver& driver = gpus_.driver();
  void* memory = nullptr;
  CudaResult error = 0;
  if (!current.ok()) {
    return Unavailable("GPU {} cannot be made current", gpu);
  }
  if (place == kPinned) {
    error = driver.cuMemHostAlloc(&memory, byte_size, kHostPortable);
  } else {
    CudaAddress address = 0;
    error = driver.cuMemAlloc(&address, byte_size);
    memory = reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
  }
  if (error != 0) {
    return Unavailable("{} bytes cannot be had: {}", byte_size, driver.ErrorText(error));
  }
  return memory;
}

void DeviceMemory::ToDriver(int place, void* memory) {
  const int gpu = place == kPinned ? gpus_.usable().front().id : place;
  const Gpus::Current current(gpus_, gpu);
  if (place == kPinned) {
    gpus_.driver().cuMemFreeHost(memory);
  } else {
    gpus_.driver().cuMemFree(reinterpret_cast<std::uintptr_t>(memory));
  }
}

void DeviceMemory::ReleaseIdle(int place, Pool& pool) {
  for (const auto& [byte_size, memory] : pool.idle) {
    ToDriver(place, memory);
  }
  pool.idle.clear();
  pool.idle_byte_size = 0;
}

bool DeviceMemory::Free(void* memory) {
  std::lock_guard lock(mutex_);
  const auto found = pieces_.find(memory);
  if (found == pieces_.end()) {
    return false;
  }
  const Piece piece = found->second;
  pieces_.erase(found);
  Pool& pool = pools_[piece.place];
  pool.used -= piece.byte_size;
  pool.idle.emplace(piece.byte_size, memory);
  pool.idle_byte_size += piece.byte_size;
  return true;
}

bool DeviceMemory::Lock(void* memory, std::size_t byte_size) {
  if (gpus_.empty()) {
    return false;
  }
  const Gpus::Current current(gpus_, gpus_.usable().front().id);
  return current.ok() && gpus_.driver().cuMemHostRegister(memory, byte_size, kHostPortable) == 0;
}

void DeviceMemory::Unlock(void* memory) {
  const Gpus::Current current(gpus_, gpus_.usable().front().id);
  gpus_.driver().cuMemHostUnregister(memory);
}

std::size_t DeviceMemory::pinned_byte_size_used() const {
  std::lock_guard lock(mutex_);
  const auto found = pools_.find(kPinned);
  return found == pools_.end() ? 0 : found->second.used;
}

std::size_t DeviceMemory::gpu_byte_size_used(int gpu) const {
  std::lock_guard lock(mutex_);
  const auto found = pools_.find(gpu);
  return found == pools_.end() ? 0 : found->second.used;
}

}  // namespace headrace::device
