// HdrHistogram's percentile files (.hgrm).
#ifndef HEADRACE_BENCH_PERCENTILE_FILES_H_
#define HEADRACE_BENCH_PERCENTILE_FILES_H_

#include <string>

#include "base/status.h"
#include "bench/result_json.h"

namespace headrace::bench {

// Response times in milliseconds. Several levels: one file for each, "x.hgrm" becoming "x.1.hgrm",
// "x.2.hgrm".
Status WritePercentiles(const std::string& path, const ResultDocument& document);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_PERCENTILE_FILES_H_
