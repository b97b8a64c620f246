// What a suite's targets make their sessions from, whatever their protocol. The .cc files of this
// folder only.
#ifndef HEADRACE_BENCH_SUITE_SESSION_H_
#define HEADRACE_BENCH_SUITE_SESSION_H_

#include <atomic>
#include <functional>

#include "bench/session.h"
#include "bench/suite_spec.h"
#include "load/workload_spec.h"

namespace headrace::bench {

// The requests of one of the suite's models, but for their inputs.
load::WorkloadSpec WorkloadSpecOf(const SuiteSpec& spec, const SuiteModel& model,
                                  load::Protocol protocol);

// `stop` as in SessionOptions.
SessionOptions SessionOptionsOf(const SuiteSpec& spec, const std::atomic<bool>* stop,
                                std::function<void(const Progress&)> progress);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_SESSION_H_
