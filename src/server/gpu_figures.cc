#include "server/gpu_figures.h"

#include <utility>

#include "device/nvml.h"

namespace headrace::server {

std::function<std::vector<torchserve::GpuFigures>()> GpuFiguresOf(
    std::shared_ptr<const device::DeviceMemory> memory) {
  if (memory == nullptr) {
    return nullptr;
  }
  auto nvml = device::Nvml::Open();
  if (!nvml.ok()) {
    return nullptr;  // MakeGpuMetrics says so in the log
  }
  return [memory = std::move(memory), nvml = *std::move(nvml)] {
    std::vector<torchserve::GpuFigures> figures;
    for (const device::Gpu& gpu : memory->gpus().usable()) {
      figures.push_back({.id = gpu.id, .reading = nvml.Read(gpu.uuid)});
    }
    return figures;
  };
}

}  // namespace headrace::server
