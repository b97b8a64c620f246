// Flags that say where load goes.
#ifndef HEADRACE_BENCH_BENCH_TARGET_H_
#define HEADRACE_BENCH_BENCH_TARGET_H_

#include <string>

#include "bench/bench_flags.h"
#include "bench/bench_options.h"

namespace headrace::bench {

// Fills options.target and options.control.
Status ResolveTarget(const BenchFlags& flags, BenchOptions& options);

// "127.0.0.1:8000", "unix:/path", "in process".
std::string AddressText(const load::TargetSpec& target);
// "v2 http", "torchserve", ...: the words of reports.
std::string_view ProtocolText(load::Protocol protocol);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_BENCH_TARGET_H_
