// What the samples of the processor were of: functions, by thread.
#ifndef HEADRACE_PROFILING_CPU_SAMPLES_H_
#define HEADRACE_PROFILING_CPU_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "profiling/cpu_sampler.h"
#include "profiling/symbolizer.h"

namespace headrace::profiling {

struct CpuSampleTable {
  struct Sample {
    Nanos at = 0;
    std::int64_t thread = 0;
    std::size_t function = 0;  // index of `functions`
  };
  struct Function {
    CodePlace place{};
    std::uint64_t count = 0;  // samples
  };

  Nanos period = 0;  // of processor time that one sample stands for
  bool with_kernel = false;
  bool truncated = false;
  std::uint64_t lost = 0;
  std::vector<Sample> samples{};      // by thread, then by time
  std::vector<Function> functions{};  // most samples first
  std::map<std::int64_t, std::string> thread_names{};
  std::string note{};  // why there are none, or not all, and what would allow them
};

// `find`: the function of an address (Symbolizer::Find); asked once for each address. Samples in
// the kernel are of "[kernel]".
CpuSampleTable TableOf(CpuSamples samples, const std::function<CodePlace(std::uint64_t)>& find);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_CPU_SAMPLES_H_
