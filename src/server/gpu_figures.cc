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

profiling::DeviceMemoryReader DeviceMemoryReaderOf(
    std::shared_ptr<const device::DeviceMemory> memory) {
  auto figures_of = GpuFiguresOf(std::move(memory));
  if (figures_of == nullptr) {
    return nullptr;
  }
  return [figures_of = std::move(figures_of)] {
    std::vector<profiling::DeviceMemoryUse> uses;
    for (const torchserve::GpuFigures& figures : figures_of()) {
      if (figures.reading.memory_used_byte_size) {
        uses.push_back(
            {.device_id = figures.id, .used_byte_size = *figures.reading.memory_used_byte_size});
      }
    }
    return uses;
  };
}

}  // namespace headrace::server
