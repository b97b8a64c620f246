// Metrics of the machine's processors and memory, and of this process.
#ifndef HEADRACE_TELEMETRY_PROCESS_METRICS_H_
#define HEADRACE_TELEMETRY_PROCESS_METRICS_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "telemetry/prometheus.h"

namespace headrace::telemetry {

struct ProcessMetricsOptions {
  bool cpu_metrics = true;          // the nv_cpu_* families (Triton's --allow-cpu-metrics)
  std::string proc_root = "/proc";  // a test puts its own files there
};

// Triton's nv_cpu_utilization, nv_cpu_memory_total_bytes and nv_cpu_memory_used_bytes (contracts,
// Triton 6.1), the usual process_* families of Prometheus' clients, and the count of log entries
// that were dropped. Read at the scrape; what cannot be read is left out of the page. Thread-safe.
class ProcessMetrics final : public MetricSource {
 public:
  // Borrows `clock`.
  explicit ProcessMetrics(const Clock& clock, ProcessMetricsOptions options = {});

  void Collect(PrometheusWriter& writer) const override;

 private:
  struct CpuTimes {
    std::uint64_t busy = 0;
    std::uint64_t total = 0;
  };

  std::optional<CpuTimes> ReadCpuTimes() const;
  // Share of the processors' time that was busy between the last two looks, 0 to 1.
  double Utilization() const;
  void CollectMachine(PrometheusWriter& writer) const;
  void CollectProcess(PrometheusWriter& writer) const;

  const Clock& clock_;
  const ProcessMetricsOptions options_;
  mutable std::mutex mutex_;  // guards the three below
  mutable CpuTimes last_times_;
  mutable Nanos last_look_ = 0;
  mutable double utilization_ = 0.0;
};

}  // namespace headrace::telemetry

#endif  // HEADRACE_TELEMETRY_PROCESS_METRICS_H_
