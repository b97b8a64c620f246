#include "device/nvml.h"

#include <dlfcn.h>

namespace headrace::device {
namespace {

constexpr char kLibrary[] = "libnvidia-ml.so.1";

template <typename Function>
bool Resolve(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

}  // namespace

Result<Nvml> Nvml::Open() {
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    return NotFound("{}", reason != nullptr ? reason : kLibrary);
  }
  Nvml nvml;
  const bool complete =
      Resolve(library, "nvmlInit_v2", &nvml.nvmlInit) &&
      Resolve(library, "nvmlDeviceGetHandleByUUID", &nvml.nvmlDeviceGetHandleByUUID) &&
      Resolve(library, "nvmlDeviceGetUtilizationRates", &nvml.nvmlDeviceGetUtilizationRates) &&
      Resolve(library, "nvmlDeviceGetMemoryInfo", &nvml.nvmlDeviceGetMemoryInfo) &&
      Resolve(library, "nvmlDeviceGetPowerUsage", &nvml.nvmlDeviceGetPowerUsage) &&
      Resolve(library, "nvmlDeviceGetEnforcedPowerLimit", &nvml.nvmlDeviceGetEnforcedPowerLimit) &&
      Resolve(library, "nvmlDeviceGetTotalEnergyConsumption",
              &nvml.nvmlDeviceGetTotalEnergyConsumption);
  if (!complete) {
    return NotFound("{} lacks a function that is needed", kLibrary);
  }
  if (const int error = nvml.nvmlInit(); error != 0) {
    return Internal("{} does not initialise: error {}", kLibrary, error);
  }
  return nvml;
}

GpuReading Nvml::Read(const std::string& uuid) const {
  GpuReading reading;
  Device device = nullptr;
  if (nvmlDeviceGetHandleByUUID(uuid.c_str(), &device) != 0) {
    return reading;
  }
  if (Utilization rates{}; nvmlDeviceGetUtilizationRates(device, &rates) == 0) {
    reading.utilization = rates.gpu / 100.0;
  }
  if (Memory memory{}; nvmlDeviceGetMemoryInfo(device, &memory) == 0) {
    reading.memory_total_byte_size = memory.total;
    reading.memory_used_byte_size = memory.used;
  }
  if (unsigned milliwatt = 0; nvmlDeviceGetPowerUsage(device, &milliwatt) == 0) {
    reading.power_usage_w = milliwatt / 1000.0;
  }
  if (unsigned milliwatt = 0; nvmlDeviceGetEnforcedPowerLimit(device, &milliwatt) == 0) {
    reading.power_limit_w = milliwatt / 1000.0;
  }
  if (unsigned long long millijoule = 0;
      nvmlDeviceGetTotalEnergyConsumption(device, &millijoule) == 0) {
    reading.energy_j = static_cast<double>(millijoule) / 1000.0;
  }
  return reading;
}

}  // namespace headrace::device
