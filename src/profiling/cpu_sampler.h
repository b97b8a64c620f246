// Samples where the process's threads are on the processor, through perf_event_open(2).
#ifndef HEADRACE_PROFILING_CPU_SAMPLER_H_
#define HEADRACE_PROFILING_CPU_SAMPLER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "profiling/perf_records.h"

namespace headrace::profiling {

struct CpuSamples {
  Nanos period = 0;  // of processor time that one sample stands for
  bool with_kernel = false;
  bool truncated = false;
  std::uint64_t lost = 0;
  std::vector<CpuSample> samples{};                    // by thread, then by time
  std::map<std::int64_t, std::string> thread_names{};  // of threads that have samples
  // Why there are none, or not all, and what would allow them; empty: nothing is missing.
  std::string note{};
};

// Samples carry the address alone and no chain of callers: the runtimes are compiled without frame
// pointers, so that the kernel would walk registers that hold anything. What called it is known by
// the operators' record instead.
//
// One event for each thread, on its clock (PERF_COUNT_SW_CPU_CLOCK, which needs no counter of the
// processor's and works in virtual machines), with times of CLOCK_MONOTONIC. One thread.
class CpuSampler {
 public:
  static constexpr Nanos kPeriodMin = 999'983;  // a prime: no timer keeps step with it
  static constexpr std::size_t kSampleCountMax = 200'000;
  static constexpr std::size_t kThreadCountMax = 1024;

  // Opens the event of a thread, which samples from then on: a descriptor, or -errno.
  struct Wanted {
    std::int64_t thread = 0;
    Nanos period = 0;
    bool with_kernel = false;
  };
  using Open = std::function<int(const Wanted&)>;

  // A period that keeps `core_count` cores, busy for `duration`, below kSampleCountMax. `open`
  // stands in for the kernel in tests.
  CpuSampler(Nanos duration, int core_count, Open open = nullptr,
             std::string task_directory = "/proc/self/task");
  ~CpuSampler();

  // Begins to sample threads that are new, and empties the buffers: each half a second at least.
  void Look();
  // Ends it. Names the threads.
  CpuSamples Take();

 private:
  class Buffer;  // of one thread

  void OpenNew();
  void OpenOf(std::int64_t thread);
  void Read(Buffer& buffer);

  const Open open_;
  const std::string task_directory_;
  bool refused_ = false;
  std::map<std::int64_t, std::unique_ptr<Buffer>> buffers_;
  CpuSamples taken_;
};

// What is said where the kernel refuses: `call` failed with `error`. `paranoid`: what
// kernel.perf_event_paranoid is; empty: not known.
std::string PerfRefusal(const char* call, int error, const std::string& paranoid);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_CPU_SAMPLER_H_
