// What NVIDIA's management library says of GPUs at this moment, found at run time.
#ifndef HEADRACE_DEVICE_NVML_H_
#define HEADRACE_DEVICE_NVML_H_

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace headrace::device {

// One look at one GPU; what the card does not tell is missing.
struct GpuReading {
  std::optional<double> utilization;  // 0 to 1, over the library's last sample period
  std::optional<std::uint64_t> memory_total_byte_size;
  std::optional<std::uint64_t> memory_used_byte_size;
  std::optional<double> power_usage_w;
  std::optional<double> power_limit_w;
  std::optional<double> energy_j;  // since the driver was loaded
};

// A table of functions, with the library's own types where they are plain; a test fills in its own.
// Immutable once made; thread-safe.
struct Nvml {
  using Device = void*;
  struct Utilization {
    unsigned gpu, memory;  // percent
  };
  struct Memory {
    unsigned long long total, free, used;
  };
  int (*nvmlInit)() = nullptr;
  int (*nvmlDeviceGetHandleByUUID)(const char* uuid, Device* device) = nullptr;
  int (*nvmlDeviceGetUtilizationRates)(Device device, Utilization* utilization) = nullptr;
  int (*nvmlDeviceGetMemoryInfo)(Device device, Memory* memory) = nullptr;
  int (*nvmlDeviceGetPowerUsage)(Device device, unsigned* milliwatt) = nullptr;
  int (*nvmlDeviceGetEnforcedPowerLimit)(Device device, unsigned* milliwatt) = nullptr;
  int (*nvmlDeviceGetTotalEnergyConsumption)(Device device,
                                             unsigned long long* millijoule) = nullptr;

  // NOT_FOUND with the loader's text on a machine without the library. Never unloaded.
  static Result<Nvml> Open();

  // `uuid` as Gpu::uuid. Takes a millisecond or so.
  GpuReading Read(const std::string& uuid) const;
};

}  // namespace headrace::device

#endif  // HEADRACE_DEVICE_NVML_H_
