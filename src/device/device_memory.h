// Memory that GPUs reach: page-locked host memory, and their own.
#ifndef HEADRACE_DEVICE_DEVICE_MEMORY_H_
#define HEADRACE_DEVICE_DEVICE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>

#include "base/result.h"
#include "device/gpus.h"

namespace headrace::device {

struct DeviceMemoryOptions {
  std::size_t pinned_byte_size_max = std::size_t{256} << 20;  // 0: no page-locked memory
  std::size_t gpu_byte_size_max = std::size_t{64} << 20;      // of each GPU that is not listed
  std::map<int, std::size_t> gpu_byte_size_max_of;            // by GPU
};

// What backends get through the memory manager of the plugin interface, and the page locks of the
// request memory. Freed pieces are kept by size and given out again: the driver's own functions
// wait for the device. Thread-safe. Owns the GPUs' contexts.
class DeviceMemory {
 public:
  DeviceMemory(Gpus gpus, DeviceMemoryOptions options);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // Page-locked for every GPU, 64-byte aligned. UNAVAILABLE without a GPU, or when the pool is
  // spent: callers fall back to ordinary memory.
  Result<void*> AllocatePinned(std::size_t byte_size);
  // Memory of one GPU. UNAVAILABLE without that GPU, or when the pool is spent.
  Result<void*> AllocateGpu(int gpu, std::size_t byte_size);
  // Takes back what one of the above gave. False, and nothing is done, for any other address.
  bool Free(void* memory);

  // Page-locks memory of the caller's, so that copies between it and a GPU need no staging. False
  // if that is not possible; the memory stays ordinary then. Not charged to the pool.
  bool Lock(void* memory, std::size_t byte_size);
  void Unlock(void* memory);

  const Gpus& gpus() const { return gpus_; }
  std::size_t pinned_byte_size_max() const {
    return gpus_.empty() ? 0 : options_.pinned_byte_size_max;
  }
  std::size_t pinned_byte_size_used() const;
  std::size_t gpu_byte_size_used(int gpu) const;

 private:
  static constexpr int kPinned = -1;  // in place of a GPU's number
  struct Piece {
    int place = kPinned;
    std::size_t byte_size = 0;
  };
  struct Pool {
    std::size_t used = 0;                    // bytes given out
    std::multimap<std::size_t, void*> idle;  // by size
    std::size_t idle_byte_size = 0;
  };

  std::size_t LimitOf(int place) const;
  Result<void*> Allocate(int place, std::size_t byte_size);
  Result<void*> FromDriver(int place, std::size_t byte_size);
  void ToDriver(int place, void* memory);
  void ReleaseIdle(int place, Pool& pool);

  const Gpus gpus_;
  const DeviceMemoryOptions options_;
  mutable std::mutex mutex_;  // guards what follows
  std::map<int, Pool> pools_;
  std::unordered_map<void*, Piece> pieces_;  // given out
};

}  // namespace headrace::device

#endif  // HEADRACE_DEVICE_DEVICE_MEMORY_H_
