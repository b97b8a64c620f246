// The files of a run.
#ifndef HEADRACE_BENCH_BENCH_OUTPUTS_H_
#define HEADRACE_BENCH_BENCH_OUTPUTS_H_

#include "base/status.h"
#include "bench/bench_options.h"
#include "bench/result_json.h"

namespace headrace::bench {

// Writes all that `options` asks for; goes on after one that could not be written, and returns the
// first failure, with its path.
Status WriteOutputs(const OutputOptions& options, const ResultDocument& document);

// Whether each file could be written (CheckWritable); INVALID_ARGUMENT names the option, too.
// Empties the one that gets a line for each level.
Status CheckOutputs(const OutputOptions& options);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BENCH_OUTPUTS_H_
