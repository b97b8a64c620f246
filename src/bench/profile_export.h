// perf_analyzer's --profile-export-file: each request with its times.
#ifndef HEADRACE_BENCH_PROFILE_EXPORT_H_
#define HEADRACE_BENCH_PROFILE_EXPORT_H_

#include <string>

#include "bench/result_json.h"

namespace headrace::bench {

// Of the levels' records (contracts, tools 1.3): wall-clock nanoseconds. Beside perf_analyzer's
// fields each request has `intended_timestamp` and, where it failed, `error`; contents of inputs
// and outputs are left out.
std::string ProfileExportJson(const ResultDocument& document);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_PROFILE_EXPORT_H_
