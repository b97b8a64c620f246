// Flags that say what is sent.
#ifndef HEADRACE_BENCH_BENCH_WORKLOAD_H_
#define HEADRACE_BENCH_BENCH_WORKLOAD_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "bench/bench_flags.h"
#include "bench/bench_options.h"

namespace headrace::bench {

// Fills options.workload. Comes after ResolveTarget.
Status ResolveWorkload(const BenchFlags& flags, BenchOptions& options);

// A whole number from `min`, below 2^31.
Result<std::uint64_t> ParseCount(std::string_view text, std::uint64_t min);

// The "timestamp" of each entry of perf_analyzer's input JSON (milliseconds), as offsets from the
// first one. INVALID_ARGUMENT names file and entry.
Result<std::vector<Nanos>> ReadSchedule(const std::vector<std::string>& input_data);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BENCH_WORKLOAD_H_
