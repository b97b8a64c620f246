// Samples of the processor, as the kernel writes them into a buffer of perf events.
#ifndef HEADRACE_PROFILING_PERF_RECORDS_H_
#define HEADRACE_PROFILING_PERF_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"

namespace headrace::profiling {

// One look at a thread that ran.
struct CpuSample {
  Nanos at = 0;
  std::int64_t thread = 0;
  std::uint64_t address = 0;  // of the instruction; in the kernel it is not told to anybody
  bool in_kernel = false;
};

struct PerfRecords {
  std::vector<CpuSample> samples{};
  std::uint64_t lost = 0;  // samples for which the buffer had no room
  bool damaged = false;    // it was read up to a record that cannot be
};

// What perf_event_open(2) is asked for, which is what ReadPerfRecords expects: PERF_SAMPLE_IP,
// _TID, _TIME.
extern const std::uint64_t kPerfSampleType;

// Whole records, one behind the other; those of other kinds are passed over. Pure.
PerfRecords ReadPerfRecords(std::span<const std::byte> records);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_PERF_RECORDS_H_
