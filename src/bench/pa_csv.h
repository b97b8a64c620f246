// perf_analyzer's table (-f), column by column.
#ifndef HEADRACE_BENCH_PA_CSV_H_
#define HEADRACE_BENCH_PA_CSV_H_

#include <optional>
#include <string>

#include "base/status.h"
#include "bench/result_json.h"

namespace headrace::bench {

struct PaCsvOptions {
  bool verbose = false;              // --verbose-csv: mean, and where the client waited
  bool metrics = false;              // --collect-metrics: GPUs
  std::optional<double> percentile;  // the chosen one, which has a column of its own
};

// The columns and their order of contracts, tools 1.3; microseconds without a fraction; rows by
// throughput. Latencies are from the intended send. `model`: whose server figures fill the columns
// in between.
std::string PaCsv(const ResultDocument& document, const std::string& model,
                  const PaCsvOptions& options);

// The same as a file, and for each model that an ensemble is made of a further one, named
// <model>_v.<file>: perf_analyzer's name for one whose version is not given.
Status WritePaCsv(const std::string& path, const ResultDocument& document,
                  const PaCsvOptions& options);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_PA_CSV_H_
