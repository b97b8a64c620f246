// The GPUs' figures for TorchServe's gauges, and for profiles.
#ifndef HEADRACE_SERVER_GPU_FIGURES_H_
#define HEADRACE_SERVER_GPU_FIGURES_H_

#include <functional>
#include <memory>
#include <vector>

#include "device/device_memory.h"
#include "profiling/memory_use.h"
#include "torchserve/host_metrics.h"

namespace headrace::server {

// What HostMetricsOptions::gpus asks: one look at each usable card, a millisecond or so. Null where
// `memory` is, or where the cards cannot be asked.
std::function<std::vector<torchserve::GpuFigures>()> GpuFiguresOf(
    std::shared_ptr<const device::DeviceMemory> memory);

// What a profile shows of the cards' memory; null as above.
profiling::DeviceMemoryReader DeviceMemoryReaderOf(
    std::shared_ptr<const device::DeviceMemory> memory);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_GPU_FIGURES_H_
