// Metrics of the machine's GPUs.
#ifndef HEADRACE_TELEMETRY_GPU_METRICS_H_
#define HEADRACE_TELEMETRY_GPU_METRICS_H_

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "device/device_memory.h"
#include "device/nvml.h"
#include "telemetry/prometheus.h"

namespace headrace::telemetry {

// Triton's nv_gpu_* families, nv_energy_consumption and nv_pinned_memory_pool_* (contracts, Triton
// 6.1). The cards are asked at a scrape, at most once an interval (--metrics-interval-ms). What a
// card does not tell is left out. Thread-safe.
class GpuMetrics final : public MetricSource {
 public:
  // `nvml` may be missing: then only the pool's families are written. Borrows the clock.
  GpuMetrics(std::shared_ptr<const device::DeviceMemory> memory, std::optional<device::Nvml> nvml,
             Nanos interval, const Clock& clock);

  void Collect(PrometheusWriter& writer) const override;

 private:
  std::vector<device::GpuReading> Readings() const;

  const std::shared_ptr<const device::DeviceMemory> memory_;
  const std::optional<device::Nvml> nvml_;
  const Nanos interval_;
  const Clock& clock_;
  mutable std::mutex mutex_;  // guards what follows
  mutable std::vector<device::GpuReading> readings_;
  mutable std::vector<double> energy_at_start_j_;  // the counter begins at 0 with the server
  mutable Nanos last_look_ = 0;
};

}  // namespace headrace::telemetry

#endif  // HEADRACE_TELEMETRY_GPU_METRICS_H_
