// Carries out `headrace tune` of several models.
#ifndef HEADRACE_TUNE_MULTI_RUN_H_
#define HEADRACE_TUNE_MULTI_RUN_H_

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/result_json.h"
#include "tune/multi_search.h"
#include "tune/tune_options.h"
#include "tune/tune_run.h"
#include "tune/tuned_model.h"

namespace headrace::tune {

struct MultiOutcome {
  MultiReport report;
  bench::ResultDocument document;  // kind "tune", with every level of mixed load
  std::vector<ConfigFile> files;   // by model; empty = no answer
  std::vector<std::string> applied_to;
  Status emitted;  // as TuneOutcome's
};

// Blocks. `options.models` has two and more. As RunTune.
Result<MultiOutcome> RunTuneSeveral(const TuneOptions& options, const std::atomic<bool>* stop,
                                    const TuneListener& listener);

// 0, 2 (`emitted`), 3 (nothing meets every SLA), 130 (interrupted).
int ExitCode(const MultiOutcome& outcome);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_MULTI_RUN_H_
