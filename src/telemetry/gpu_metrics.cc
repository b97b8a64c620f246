#include "telemetry/gpu_metrics.h"

#include <string_view>
#include <utility>

namespace headrace::telemetry {
namespace {

using device::GpuReading;

// One family over all cards that tell the value.
template <typename T>
void WriteFamily(PrometheusWriter& writer, std::string_view name, MetricKind kind,
                 std::string_view help, const std::vector<device::Gpu>& gpus,
                 const std::vector<GpuReading>& readings, std::optional<T> GpuReading::*value) {
  writer.Family(name, kind, help);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    if (const auto& told = readings[i].*value) {
      writer.Sample({{"gpu_uuid", gpus[i].uuid}}, *told);
    }
  }
}

}  // namespace

GpuMetrics::GpuMetrics(std::shared_ptr<const device::DeviceMemory> memory,
                       std::optional<device::Nvml> nvml, Nanos interval, const Clock& clock)
    : memory_(std::move(memory)), nvml_(std::move(nvml)), interval_(interval), clock_(clock) {}

std::vector<GpuReading> GpuMetrics::Readings() const {
  std::lock_guard lock(mutex_);
  const Nanos now = clock_.Now();
  if (!readings_.empty() && now - last_look_ < interval_) {
    return readings_;
  }
  const auto& gpus = memory_->gpus().usable();
  readings_.clear();
  energy_at_start_j_.resize(gpus.size(), -1.0);
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    GpuReading reading = nvml_->Read(gpus[i].uuid);
    if (reading.energy_j) {
      double& start = energy_at_start_j_[i];
      start = start < 0 ? *reading.energy_j : start;
      *reading.energy_j -= start;
    }
    readings_.push_back(reading);
  }
  last_look_ = now;
  return readings_;
}

void GpuMetrics::Collect(PrometheusWriter& writer) const {
  writer.Family("nv_pinned_memory_pool_total_bytes", MetricKind::kGauge,
                "Pinned memory pool total memory size, in bytes");
  writer.Sample({}, static_cast<std::uint64_t>(memory_->pinned_byte_size_max()));
  writer.Family("nv_pinned_memory_pool_used_bytes", MetricKind::kGauge,
                "Pinned memory pool used memory size, in bytes");
  writer.Sample({}, static_cast<std::uint64_t>(memory_->pinned_byte_size_used()));
  if (!nvml_ || memory_->gpus().empty()) {
    return;
  }
  const auto& gpus = memory_->gpus().usable();
  const std::vector<GpuReading> readings = Readings();
  WriteFamily(writer, "nv_gpu_utilization", MetricKind::kGauge, "GPU utilization rate [0.0 - 1.0)",
              gpus, readings, &GpuReading::utilization);
  WriteFamily(writer, "nv_gpu_memory_total_bytes", MetricKind::kGauge, "GPU total memory, in bytes",
              gpus, readings, &GpuReading::memory_total_byte_size);
  WriteFamily(writer, "nv_gpu_memory_used_bytes", MetricKind::kGauge, "GPU used memory, in bytes",
              gpus, readings, &GpuReading::memory_used_byte_size);
  WriteFamily(writer, "nv_gpu_power_usage", MetricKind::kGauge, "GPU power usage in watts", gpus,
              readings, &GpuReading::power_usage_w);
  WriteFamily(writer, "nv_gpu_power_limit", MetricKind::kGauge,
              "GPU power management limit in watts", gpus, readings, &GpuReading::power_limit_w);
  WriteFamily(writer, "nv_energy_consumption", MetricKind::kCounter,
              "GPU energy consumption in joules since the server started", gpus, readings,
              &GpuReading::energy_j);
}

}  // namespace headrace::telemetry
