// perf_analyzer's table (-f), column by column.
#ifndef HEADRACE_BENCH_PA_CSV_H_
#define HEADRACE_BENCH_PA_CSV_H_

#include <string>

#include "base/status.h"
#include "bench/result_json.h"

namespace headrace::bench {

// The columns and their order of contracts, tools 1.3; microseconds without a fraction; rows by
// throughput. Latencies are from the intended send. `model`: whose server figures fill the columns
// in between.
std::string PaCsv(const ResultDocument& document, const std::string& model, bool verbose);

// The same as a file, and for each model that an ensemble is made of a further one, named
// <model>_v<version>.<file> as perf_analyzer's.
Status WritePaCsv(const std::string& path, const ResultDocument& document, bool verbose);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_PA_CSV_H_
