// A CUDA driver of two GPUs made of host memory, for tests.
#ifndef HEADRACE_DEVICE_TESTING_FAKE_CUDA_H_
#define HEADRACE_DEVICE_TESTING_FAKE_CUDA_H_

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "device/cuda_driver.h"

namespace headrace::device::testing {

// What the driver's functions, which have no argument for it, work on. One at a time; not
// thread-safe.
class FakeCuda {
 public:
  struct Device {
    const char* name;
    int major, minor;
    std::size_t memory_byte_size;
  };

  explicit FakeCuda(std::vector<Device> devices = {{"Fake A", 9, 0, std::size_t{80} << 30},
                                                   {"Fake B", 6, 1, std::size_t{8} << 30}})
      : devices_(std::move(devices)) {
    current_ = this;
  }
  ~FakeCuda() {
    for (void* memory : live_) {
      std::free(memory);
    }
    current_ = nullptr;
  }
  FakeCuda(const FakeCuda&) = delete;
  FakeCuda& operator=(const FakeCuda&) = delete;

  CudaDriver driver() const {
    CudaDriver table;
    table.cuInit = [](unsigned) { return 0; };
    table.cuGetErrorString = [](CudaResult, const char** text) {
      *text = "fake failure";
      return 0;
    };
    table.cuDeviceGetCount = [](int* count) {
      *count = static_cast<int>(current_->devices_.size());
      return 0;
    };
    table.cuDeviceGet = [](CudaDevice* device, int ordinal) {
      *device = ordinal;
      return current_->broken_device == ordinal ? 999 : 0;
    };
    table.cuDeviceGetName = [](char* name, int byte_size, CudaDevice device) {
      std::strncpy(name, current_->devices_[device].name, static_cast<std::size_t>(byte_size));
      return 0;
    };
    table.cuDeviceGetUuid = [](CudaUuid* uuid, CudaDevice device) {
      for (int i = 0; i < 16; ++i) {
        uuid->bytes[i] = static_cast<unsigned char>(16 * device + i);
      }
      return 0;
    };
    table.cuDeviceTotalMem = [](std::size_t* byte_size, CudaDevice device) {
      *byte_size = current_->devices_[device].memory_byte_size;
      return 0;
    };
    table.cuDeviceGetAttribute = [](int* value, int attribute, CudaDevice device) {
      const Device& asked = current_->devices_[device];
      *value = attribute == kComputeCapabilityMajor ? asked.major : asked.minor;
      return 0;
    };
    table.cuDevicePrimaryCtxRetain = [](CudaContext* context, CudaDevice device) {
      *context = &current_->devices_[device];
      ++current_->contexts_retained;
      return 0;
    };
    table.cuDevicePrimaryCtxRelease = [](CudaDevice) {
      --current_->contexts_retained;
      return 0;
    };
    table.cuCtxPushCurrent = [](CudaContext context) {
      current_->stack_.push_back(context);
      return 0;
    };
    table.cuCtxPopCurrent = [](CudaContext* context) {
      *context = current_->stack_.back();
      current_->stack_.pop_back();
      return 0;
    };
    table.cuMemAlloc = [](CudaAddress* address, std::size_t byte_size) {
      void* memory = current_->Take(byte_size);
      *address = reinterpret_cast<std::uintptr_t>(memory);
      return memory == nullptr ? 2 : 0;
    };
    table.cuMemFree = [](CudaAddress address) {
      return current_->Give(reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)));
    };
    table.cuMemHostAlloc = [](void** memory, std::size_t byte_size, unsigned) {
      *memory = current_->Take(byte_size);
      return *memory == nullptr ? 2 : 0;
    };
    table.cuMemFreeHost = [](void* memory) { return current_->Give(memory); };
    table.cuMemHostRegister = [](void* memory, std::size_t byte_size, unsigned) {
      if (current_->fail_locks) {
        return 1;
      }
      current_->locked[memory] = byte_size;
      return 0;
    };
    table.cuMemHostUnregister = [](void* memory) {
      return current_->locked.erase(memory) == 1 ? 0 : 1;
    };
    return table;
  }

  std::size_t live_count() const { return live_.size(); }
  bool context_is_current() const { return !stack_.empty(); }

  int broken_device = -1;
  bool fail_allocations = false;
  bool fail_locks = false;
  int contexts_retained = 0;
  int allocation_count = 0;
  std::map<void*, std::size_t> locked;

 private:
  void* Take(std::size_t byte_size) {
    if (stack_.empty() || fail_allocations) {
      return nullptr;
    }
    ++allocation_count;
    void* memory = std::aligned_alloc(256, (byte_size + 255) / 256 * 256);
    live_.insert(memory);
    return memory;
  }
  CudaResult Give(void* memory) {
    if (live_.erase(memory) == 0) {
      return 1;
    }
    std::free(memory);
    return 0;
  }

  static inline FakeCuda* current_ = nullptr;
  std::vector<Device> devices_;
  std::vector<CudaContext> stack_;
  std::set<void*> live_;
};

}  // namespace headrace::device::testing

#endif  // HEADRACE_DEVICE_TESTING_FAKE_CUDA_H_
