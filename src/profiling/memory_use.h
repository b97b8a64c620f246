// The memory of the server while a model is profiled.
#ifndef HEADRACE_PROFILING_MEMORY_USE_H_
#define HEADRACE_PROFILING_MEMORY_USE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace headrace::profiling {

struct DeviceMemoryUse {
  int device_id = 0;
  std::uint64_t used_byte_size = 0;  // by all processes: cards do not tell them apart
};
// One look at each card that the server uses. Null where there is none.
using DeviceMemoryReader = std::function<std::vector<DeviceMemoryUse>()>;

struct MemorySample {
  Nanos at = 0;
  std::uint64_t resident_byte_size = 0;  // of the whole process
};
struct DeviceMemorySample {
  Nanos at = 0;
  DeviceMemoryUse use{};
};

struct MemoryUse {
  std::vector<MemorySample> resident{};
  std::vector<DeviceMemorySample> devices{};

  // 0 without a sample.
  std::uint64_t ResidentPeak() const;
  // Each card's highest, by id.
  std::vector<DeviceMemoryUse> DevicePeaks() const;
};

// Takes samples when it is asked to. One thread.
class MemorySampler {
 public:
  // interval() is 10 ms, or what makes at most so many samples of `duration`. Cards, which take a
  // millisecond each, are asked with every tenth sample.
  static constexpr std::size_t kSampleCountMax = 6000;
  MemorySampler(Nanos duration, DeviceMemoryReader devices,
                std::string statm_path = "/proc/self/statm");

  Nanos interval() const { return interval_; }
  void Sample(Nanos now);
  MemoryUse Take();

 private:
  const Nanos interval_;
  const DeviceMemoryReader devices_;
  const std::string statm_path_;
  std::size_t sample_number_ = 0;
  MemoryUse use_;
};

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_MEMORY_USE_H_
