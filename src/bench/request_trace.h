// Requests of a run on a time line, for Perfetto and chrome://tracing.
#ifndef HEADRACE_BENCH_REQUEST_TRACE_H_
#define HEADRACE_BENCH_REQUEST_TRACE_H_

#include <string>

#include "bench/result_json.h"

namespace headrace::bench {

// Trace events in JSON: a process for each level, and in it lanes in which no two requests overlap;
// each request is one slice from its intended send, with the wait before its send as a slice in
// it, and counters of what is out and of failures. At most 20,000 requests of a level, evenly
// drawn, and the hundred slowest.
std::string RequestTraceJson(const ResultDocument& document);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_REQUEST_TRACE_H_
