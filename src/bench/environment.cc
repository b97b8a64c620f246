#include "bench/environment.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "base/control_group.h"
#include "base/topology.h"
#include "device/gpus.h"
#include "device/nvml.h"

namespace headrace::bench {
namespace {

namespace fs = std::filesystem;

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Calls `take` with the key and the value of each "key <separator> value" line.
template <typename Take>
void EachEntry(const std::string& path, char separator, Take take) {
  std::ifstream file(path);
  const auto trim = [](std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\"");
    const std::size_t last = text.find_last_not_of(" \t\"");
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, last - first + 1);
  };
  for (std::string line; std::getline(file, line);) {
    if (const std::size_t at = line.find(separator); at != std::string::npos) {
      take(trim(std::string_view(line).substr(0, at)), trim(std::string_view(line).substr(at + 1)));
    }
  }
}

template <typename Number>
std::optional<Number> NumberIn(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || (stop != end && *stop != ' ')) {
    return std::nullopt;
  }
  return number;
}

std::optional<double> CpuLimit(const std::string& root) {
  std::optional<double> least;
  const auto take = [&least](std::string_view quota, std::string_view period) {
    const auto time = NumberIn<double>(quota);
    const auto of = NumberIn<double>(period);
    if (time && of && *time > 0 && *of > 0) {
      least = std::min(least.value_or(*time / *of), *time / *of);
    }
  };
  for (const std::string& directory : ControlGroupDirectories(root, "")) {
    const std::string line = FirstLine(directory + "/cpu.max");
    if (const std::size_t blank = line.find(' '); blank != std::string::npos) {
      take(std::string_view(line).substr(0, blank), std::string_view(line).substr(blank + 1));
    }
  }
  for (const std::string& directory : ControlGroupDirectories(root, "cpu")) {
    take(FirstLine(directory + "/cpu.cfs_quota_us"), FirstLine(directory + "/cpu.cfs_period_us"));
  }
  return least;
}

std::optional<std::uint64_t> MemoryLimit(const std::string& root) {
  constexpr std::uint64_t kNone = std::uint64_t{1} << 60;  // what the kernel shows as "no limit"
  std::optional<std::uint64_t> least;
  const auto take = [&least](const std::string& path) {
    if (const auto bytes = NumberIn<std::uint64_t>(FirstLine(path)); bytes && *bytes < kNone) {
      least = std::min(least.value_or(*bytes), *bytes);
    }
  };
  for (const std::string& directory : ControlGroupDirectories(root, "")) {
    take(directory + "/memory.max");
  }
  for (const std::string& directory : ControlGroupDirectories(root, "memory")) {
    take(directory + "/memory.limit_in_bytes");
  }
  return least;
}

std::optional<bool> Turbo(const std::string& cpu_directory) {
  if (const std::string boost = FirstLine(cpu_directory + "/cpufreq/boost"); !boost.empty()) {
    return boost != "0";
  }
  if (const std::string off = FirstLine(cpu_directory + "/intel_pstate/no_turbo"); !off.empty()) {
    return off == "0";
  }
  return std::nullopt;
}

void ReadCpu(const std::string& root, Environment& environment) {
  EachEntry(root + "/proc/cpuinfo", ':', [&](std::string_view key, std::string_view value) {
    if (environment.cpu_model.empty() && (key == "model name" || key == "Model")) {
      environment.cpu_model = value;
    }
  });
  const Topology topology = Topology::Read(root);
  environment.cpu_count = static_cast<int>(topology.cpus().size());
  environment.physical_core_count = topology.PhysicalCoreCount();
  environment.numa_node_count = static_cast<int>(topology.nodes().size());
  const std::string cpu_directory = root + "/sys/devices/system/cpu";
  environment.governor = FirstLine(cpu_directory + "/cpu0/cpufreq/scaling_governor");
  environment.turbo = Turbo(cpu_directory);
  if (const std::string active = FirstLine(cpu_directory + "/smt/active"); !active.empty()) {
    environment.smt = active != "0";
  }
  environment.cpu_limit = CpuLimit(root);
}

void ReadGpus(Environment& environment) {
  const device::Gpus gpus = device::Gpus::Discover(device::CudaDriver::Open(), 0);
  if (gpus.empty()) {
    return;
  }
  const Result<device::Nvml> nvml = device::Nvml::Open();
  for (const device::Gpu& gpu : gpus.usable()) {
    GpuEnvironment& added = environment.gpus.emplace_back();
    added.name = gpu.name;
    added.uuid = gpu.uuid;
    added.memory_byte_size = gpu.memory_byte_size;
    added.capability = gpu.capability();
    if (nvml.ok()) {
      added.power_limit_w = nvml->Read(gpu.uuid).power_limit_w;
    }
  }
}

// Calls `take` for each processor's folder below /sys.
template <typename Take>
void EachCpuDirectory(const std::string& root, Take take) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root + "/sys/devices/system/cpu", error)) {
    const std::string name = entry.path().filename();
    if (name.size() > 3 && name.starts_with("cpu") &&
        name.find_first_not_of("0123456789", 3) == std::string::npos) {
      take(entry.path().string());
    }
  }
}

void ReadTicks(const std::string& root, MachineReading& reading) {
  std::ifstream file(root + "/proc/stat");
  std::string name;
  // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user.
  constexpr int kColumnCount = 8;
  constexpr int kIdle = 3;
  constexpr int kIoWait = 4;
  constexpr int kSteal = 7;
  if (!(file >> name) || name != "cpu") {
    return;
  }
  for (int column = 0; column < kColumnCount; ++column) {
    std::uint64_t ticks = 0;
    if (!(file >> ticks)) {
      return;
    }
    reading.total_ticks += ticks;
    if (column == kIdle || column == kIoWait) {
      reading.idle_ticks += ticks;
    } else if (column == kSteal) {
      reading.steal_ticks = ticks;
    }
  }
}

std::uint64_t Difference(std::uint64_t after, std::uint64_t before) {
  return after > before ? after - before : 0;
}

}  // namespace

Environment ReadEnvironment(bool with_gpus, const std::string& system_root) {
  Environment environment;
  environment.headrace_version = HEADRACE_VERSION;
  environment.git_id = HEADRACE_GIT_ID;
  environment.compiler = fmt::format("g++ {}", __VERSION__);
  utsname names{};
  if (::uname(&names) == 0) {
    environment.kernel = fmt::format("{} {} {}", names.sysname, names.release, names.machine);
  }
  EachEntry(system_root + "/etc/os-release", '=',
            [&environment](std::string_view key, std::string_view value) {
              if (key == "PRETTY_NAME") {
                environment.operating_system = value;
              }
            });
  ReadCpu(system_root, environment);
  EachEntry(system_root + "/proc/meminfo", ':',
            [&environment](std::string_view key, std::string_view value) {
              if (key == "MemTotal") {
                environment.memory_byte_size = NumberIn<std::uint64_t>(value).value_or(0) * 1024;
              }
            });
  environment.memory_limit_byte_size = MemoryLimit(system_root);
  if (with_gpus) {
    ReadGpus(environment);
  }
  return environment;
}

MachineReading ReadMachine(const std::string& system_root) {
  MachineReading reading;
  ReadTicks(system_root, reading);
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    reading.involuntary_switch_count = static_cast<std::uint64_t>(usage.ru_nivcsw);
  }
  EachCpuDirectory(system_root, [&reading](const std::string& directory) {
    const std::string count = FirstLine(directory + "/thermal_throttle/core_throttle_count");
    reading.thermal_event_count += NumberIn<std::uint64_t>(count).value_or(0);
  });
  for (const std::string_view controller : {"", "cpu"}) {
    const std::vector<std::string> directories = ControlGroupDirectories(system_root, controller);
    if (directories.empty()) {
      continue;
    }
    EachEntry(directories.front() + "/cpu.stat", ' ',
              [&reading](std::string_view key, std::string_view value) {
                if (key == "throttled_usec") {
                  reading.quota_throttled_us += NumberIn<std::uint64_t>(value).value_or(0);
                } else if (key == "throttled_time") {  // nanoseconds, the first generation
                  reading.quota_throttled_us += NumberIn<std::uint64_t>(value).value_or(0) / 1000;
                }
              });
  }
  double sum_mhz = 0;
  int count = 0;
  EachEntry(system_root + "/proc/cpuinfo", ':', [&](std::string_view key, std::string_view value) {
    if (key == "cpu MHz") {
      sum_mhz += NumberIn<double>(value).value_or(0);
      ++count;
    }
  });
  if (count > 0) {
    reading.frequency_mhz = sum_mhz / count;
  }
  return reading;
}

MachineFigures Between(const MachineReading& before, const MachineReading& after) {
  MachineFigures figures;
  const auto total = static_cast<double>(Difference(after.total_ticks, before.total_ticks));
  if (total > 0) {
    figures.steal_share =
        static_cast<double>(Difference(after.steal_ticks, before.steal_ticks)) / total;
    const double idle =
        static_cast<double>(Difference(after.idle_ticks, before.idle_ticks)) / total;
    figures.cpu_busy_share = std::clamp(1 - idle - figures.steal_share, 0.0, 1.0);
  }
  figures.involuntary_switch_count =
      Difference(after.involuntary_switch_count, before.involuntary_switch_count);
  figures.thermal_event_count = Difference(after.thermal_event_count, before.thermal_event_count);
  figures.quota_throttled_s =
      static_cast<double>(Difference(after.quota_throttled_us, before.quota_throttled_us)) * 1e-6;
  figures.frequency_mhz = after.frequency_mhz;
  return figures;
}

}  // namespace headrace::bench
