// The gauges of the machine: CPUUtilization, MemoryUsed, DiskAvailable, GPUUtilization and their
// company (contracts, TorchServe 3.2). TorchServe runs a Python program for them; here a thread
// reads /proc.
#ifndef HEADRACE_TORCHSERVE_HOST_METRICS_H_
#define HEADRACE_TORCHSERVE_HOST_METRICS_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "device/nvml.h"
#include "torchserve/metrics.h"

namespace headrace::torchserve {

// What /proc/stat says since the machine started, in ticks.
struct CpuTicks {
  std::uint64_t busy = 0, total = 0;
};
// The first line of /proc/stat; nothing if it is none.
std::optional<CpuTicks> ParseCpuTicks(std::string_view stat);

struct MemoryFigures {
  double used_mb = 0, available_mb = 0, used_percent = 0;
};
// /proc/meminfo; "used" is neither free nor a cache.
std::optional<MemoryFigures> ParseMemory(std::string_view meminfo);

struct GpuFigures {
  int id = 0;
  device::GpuReading reading;
};

struct HostMetricsOptions {
  Nanos interval = 60 * kSecond;  // metric_time_interval
  std::string proc_root = "/proc";
  std::string disk = "/";
  // Asked each time; null: there are no GPUs.
  std::function<std::vector<GpuFigures>()> gpus = {};
};

// One thread, from construction to destruction: looks at once and then every interval, and has
// `metrics` look at the workers, too. What cannot be read is left out.
class HostMetrics {
 public:
  // Borrowed.
  HostMetrics(HostMetricsOptions options, Metrics& metrics);
  ~HostMetrics();

 private:
  void Run();
  void Look();
  void LookAtGpus();

  const HostMetricsOptions options_;
  Metrics& metrics_;
  CpuTicks last_ticks_;
  std::mutex mutex_;  // guards stopping_
  std::condition_variable changed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_HOST_METRICS_H_
