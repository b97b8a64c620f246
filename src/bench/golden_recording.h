// `--golden-record`: asks a server once for each content, and writes its answers.
#ifndef HEADRACE_BENCH_GOLDEN_RECORDING_H_
#define HEADRACE_BENCH_GOLDEN_RECORDING_H_

#include <string>

#include "base/status.h"
#include "bench/session.h"
#include "load/workload.h"

namespace headrace::bench {

// Over a session of one sender whose workload load::RecordAnswers was called for. Blocks.
// UNAVAILABLE with the words of the first failure where not every content was answered well; then
// no file is written.
Status RecordGolden(Session& session, const load::Workload& workload, bool has_tensors,
                    bool batched, const std::string& path);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_GOLDEN_RECORDING_H_
