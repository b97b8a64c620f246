#include "torchserve/host_metrics.h"

#include <sys/statvfs.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/thread.h"

namespace headrace::torchserve {
namespace {

constexpr double kKilobytesPerMegabyte = 1024.0;
constexpr double kBytesPerMegabyte = 1024.0 * 1024.0;
constexpr double kBytesPerGigabyte = 1024.0 * 1024.0 * 1024.0;
constexpr std::size_t kFileByteSizeMax = 64 * 1024;

std::string ReadSmallFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileByteSizeMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// The next number behind blanks; nothing at the end of the line.
std::optional<std::uint64_t> NextNumber(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (fault != std::errc()) {
    return std::nullopt;
  }
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  return number;
}

// With one digit behind the point, as TorchServe's helper rounds.
double Percent(double part, double whole) {
  return whole > 0 ? std::round(part / whole * 1000.0) / 10.0 : 0.0;
}

}  // namespace

std::optional<CpuTicks> ParseCpuTicks(std::string_view stat) {
  if (!stat.starts_with("cpu ")) {
    return std::nullopt;
  }
  std::string_view line = stat.substr(4, stat.find('\n') - 4);
  // user nice system idle iowait irq softirq steal; what follows is part of user and nice.
  std::array<std::uint64_t, 8> ticks{};
  for (std::uint64_t& one : ticks) {
    const auto number = NextNumber(line);
    if (!number) {
      return std::nullopt;
    }
    one = *number;
  }
  CpuTicks sums;
  for (const std::uint64_t one : ticks) {
    sums.total += one;
  }
  sums.busy = sums.total - ticks[3] - ticks[4];
  return sums;
}

std::optional<MemoryFigures> ParseMemory(std::string_view meminfo) {
  const auto kilobytes = [&](std::string_view name) -> std::optional<double> {
    for (std::string_view rest = meminfo; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      if (line.starts_with(name) && line.substr(name.size()).starts_with(":")) {
        std::string_view value = line.substr(name.size() + 1);
        const auto number = NextNumber(value);
        return number ? std::optional(static_cast<double>(*number)) : std::nullopt;
      }
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    }
    return std::nullopt;
  };
  const auto total = kilobytes("MemTotal"), available = kilobytes("MemAvailable");
  const auto free = kilobytes("MemFree");
  if (!total || !available || !free) {
    return std::nullopt;
  }
  const double caches = kilobytes("Buffers").value_or(0) + kilobytes("Cached").value_or(0) +
                        kilobytes("SReclaimable").value_or(0);
  return MemoryFigures{.used_mb = (*total - *free - caches) / kKilobytesPerMegabyte,
                       .available_mb = *available / kKilobytesPerMegabyte,
                       .used_percent = Percent(*total - *available, *total)};
}

HostMetrics::HostMetrics(HostMetricsOptions options, Metrics& metrics)
    : options_(std::move(options)), metrics_(metrics), thread_([this] { Run(); }) {}

HostMetrics::~HostMetrics() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void HostMetrics::Run() {
  SetThreadName("host_metrics");
  std::unique_lock lock(mutex_);
  do {
    lock.unlock();
    Look();
    lock.lock();
  } while (!changed_.wait_for(lock, std::chrono::nanoseconds(options_.interval),
                              [this] { return stopping_; }));
}

void HostMetrics::Look() {
  if (const auto ticks = ParseCpuTicks(ReadSmallFile(options_.proc_root + "/stat"))) {
    // Since the last look; at the first one since the machine started.
    metrics_.Update("CPUUtilization", {"Host"},
                    Percent(static_cast<double>(ticks->busy - last_ticks_.busy),
                            static_cast<double>(ticks->total - last_ticks_.total)));
    last_ticks_ = *ticks;
  }
  struct statvfs disk {};
  if (statvfs(options_.disk.c_str(), &disk) == 0) {
    const auto bytes = [&](auto blocks) {
      return static_cast<double>(blocks) * static_cast<double>(disk.f_frsize);
    };
    const double used = bytes(disk.f_blocks - disk.f_bfree), available = bytes(disk.f_bavail);
    metrics_.Update("DiskAvailable", {"Host"}, available / kBytesPerGigabyte);
    metrics_.Update("DiskUsage", {"Host"}, used / kBytesPerGigabyte);
    metrics_.Update("DiskUtilization", {"Host"}, Percent(used, used + available));
  }
  if (const auto memory = ParseMemory(ReadSmallFile(options_.proc_root + "/meminfo"))) {
    metrics_.Update("MemoryAvailable", {"Host"}, memory->available_mb);
    metrics_.Update("MemoryUsed", {"Host"}, memory->used_mb);
    metrics_.Update("MemoryUtilization", {"Host"}, memory->used_percent);
  }
  LookAtGpus();
  metrics_.LookAtWorkers();
}

void HostMetrics::LookAtGpus() {
  if (!options_.gpus) {
    return;
  }
  for (const GpuFigures& gpu : options_.gpus()) {
    const std::string id = std::to_string(gpu.id);
    const device::GpuReading& reading = gpu.reading;
    if (reading.memory_total_byte_size && reading.memory_used_byte_size) {
      const auto used = static_cast<double>(*reading.memory_used_byte_size);
      metrics_.Update("GPUMemoryUtilization", {"Host", id},
                      Percent(used, static_cast<double>(*reading.memory_total_byte_size)));
      metrics_.Update("GPUMemoryUsed", {"Host", id}, used / kBytesPerMegabyte);
    }
    if (reading.utilization) {
      metrics_.Update("GPUUtilization", {"Host", id}, Percent(*reading.utilization, 1.0));
    }
  }
}

}  // namespace headrace::torchserve
