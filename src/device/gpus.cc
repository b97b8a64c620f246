#include "device/gpus.h"

#include <array>
#include <utility>

namespace headrace::device {
namespace {

std::string UuidText(const CudaUuid& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) {
      text += '-';
    }
    text += fmt::format("{:02x}", uuid.bytes[i]);
  }
  return text;
}

Result<Gpu> Describe(const CudaDriver& driver, int ordinal) {
  CudaDevice device = 0;
  std::array<char, 256> name{};
  CudaUuid uuid{};
  Gpu gpu;
  gpu.id = ordinal;
  CudaResult error = driver.cuDeviceGet(&device, ordinal);
  if (error == 0) {
    error = driver.cuDeviceGetName(name.data(), static_cast<int>(name.size()) - 1, device);
  }
  if (error == 0) {
    error = driver.cuDeviceGetUuid(&uuid, device);
  }
  if (error == 0) {
    error = driver.cuDeviceTotalMem(&gpu.memory_byte_size, device);
  }
  if (error == 0) {
    error = driver.cuDeviceGetAttribute(&gpu.capability_major, kComputeCapabilityMajor, device);
  }
  if (error == 0) {
    error = driver.cuDeviceGetAttribute(&gpu.capability_minor, kComputeCapabilityMinor, device);
  }
  if (error != 0) {
    return Internal("GPU {} cannot be asked: {}", ordinal, driver.ErrorText(error));
  }
  gpu.name = name.data();
  gpu.uuid = UuidText(uuid);
  return gpu;
}

}  // namespace

Gpus Gpus::Discover(const Result<CudaDriver>& driver, double capability_min) {
  Gpus gpus;
  if (!driver.ok()) {
    gpus.why_none_ = driver.status().message();
    return gpus;
  }
  int count = 0;
  if (const CudaResult error = driver->cuDeviceGetCount(&count); error != 0) {
    gpus.why_none_ = driver->ErrorText(error);
    return gpus;
  }
  gpus.driver_ = *driver;
  gpus.why_none_ = "the machine has no GPU";
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    auto gpu = Describe(*driver, ordinal);
    if (!gpu.ok()) {
      gpus.why_none_ = gpu.status().message();
      continue;
    }
    if (gpu->capability() < capability_min) {
      gpus.why_none_ =
          fmt::format("GPU {} ({}) has compute capability {}.{}, {} is asked for", ordinal,
                      gpu->name, gpu->capability_major, gpu->capability_minor, capability_min);
      continue;
    }
    CudaContext context = nullptr;
    if (const CudaResult error = driver->cuDevicePrimaryCtxRetain(&context, ordinal); error != 0) {
      gpus.why_none_ =
          fmt::format("GPU {} gives no context: {}", ordinal, driver->ErrorText(error));
      continue;
    }
    gpus.usable_.push_back(*std::move(gpu));
    gpus.contexts_.push_back(context);
  }
  if (!gpus.usable_.empty()) {
    gpus.why_none_.clear();
  }
  return gpus;
}

Gpus::Gpus(Gpus&& other) noexcept
    : driver_(other.driver_),
      usable_(std::exchange(other.usable_, {})),
      contexts_(std::exchange(other.contexts_, {})),
      why_none_(std::move(other.why_none_)) {}

Gpus::~Gpus() {
  for (const Gpu& gpu : usable_) {
    driver_->cuDevicePrimaryCtxRelease(gpu.id);
  }
}

const Gpu* Gpus::Find(int id) const {
  for (const Gpu& gpu : usable_) {
    if (gpu.id == id) {
      return &gpu;
    }
  }
  return nullptr;
}

Gpus::Current::Current(const Gpus& gpus, int id) : driver_(gpus.driver()) {
  for (std::size_t i = 0; i < gpus.usable_.size(); ++i) {
    if (gpus.usable_[i].id == id) {
      pushed_ = driver_.cuCtxPushCurrent(gpus.contexts_[i]) == 0;
    }
  }
}

Gpus::Current::~Current() {
  if (pushed_) {
    CudaContext context = nullptr;
    driver_.cuCtxPopCurrent(&context);
  }
}

}  // namespace headrace::device
