#include "profiling/memory_use.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <utility>

namespace headrace::profiling {
namespace {

constexpr Nanos kIntervalMin = 10 * kMillisecond;
constexpr std::size_t kSamplesOfOneLookAtDevices = 10;

}  // namespace

std::uint64_t MemoryUse::ResidentPeak() const {
  std::uint64_t peak = 0;
  for (const MemorySample& sample : resident) {
    peak = std::max(peak, sample.resident_byte_size);
  }
  return peak;
}

std::vector<DeviceMemoryUse> MemoryUse::DevicePeaks() const {
  std::map<int, std::uint64_t> peaks;
  for (const DeviceMemorySample& sample : devices) {
    std::uint64_t& peak = peaks[sample.use.device_id];
    peak = std::max(peak, sample.use.used_byte_size);
  }
  std::vector<DeviceMemoryUse> list;
  for (const auto& [id, peak] : peaks) {
    list.push_back({.device_id = id, .used_byte_size = peak});
  }
  return list;
}

MemorySampler::MemorySampler(Nanos duration, DeviceMemoryReader devices, std::string statm_path)
    : interval_(std::max(kIntervalMin, duration / static_cast<Nanos>(kSampleCountMax))),
      devices_(std::move(devices)),
      statm_path_(std::move(statm_path)) {}

void MemorySampler::Sample(Nanos now) {
  std::ifstream statm(statm_path_);
  std::uint64_t all_pages = 0;
  std::uint64_t resident_pages = 0;
  if (statm >> all_pages >> resident_pages) {
    const auto page_byte_size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    use_.resident.push_back({.at = now, .resident_byte_size = resident_pages * page_byte_size});
  }
  if (devices_ != nullptr && sample_number_ % kSamplesOfOneLookAtDevices == 0) {
    for (const DeviceMemoryUse& use : devices_()) {
      use_.devices.push_back({.at = now, .use = use});
    }
  }
  ++sample_number_;
}

MemoryUse MemorySampler::Take() { return std::exchange(use_, {}); }

}  // namespace headrace::profiling
