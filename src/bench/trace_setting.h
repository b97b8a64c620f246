// perf_analyzer's --trace-*: the server is told what to trace before it is measured.
#ifndef HEADRACE_BENCH_TRACE_SETTING_H_
#define HEADRACE_BENCH_TRACE_SETTING_H_

#include "base/status.h"
#include "bench/bench_options.h"

namespace headrace::bench {

// POST /v2/models/{model}/trace/setting. Blocks. They stay when the run has ended, as with
// perf_analyzer. Does nothing where no setting was asked for.
Status ApplyTraceSettings(const BenchOptions& options);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_TRACE_SETTING_H_
