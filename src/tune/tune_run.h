// Carries out what `headrace tune` was asked for: server, space, search, files.
#ifndef HEADRACE_TUNE_TUNE_RUN_H_
#define HEADRACE_TUNE_TUNE_RUN_H_

#include <atomic>
#include <functional>
#include <string>

#include "base/result.h"
#include "bench/result_json.h"
#include "bench/session.h"
#include "tune/report.h"
#include "tune/search.h"
#include "tune/tune_options.h"

namespace headrace::tune {

// Told on the caller's thread; both may be empty.
struct TuneListener {
  SearchObserver event;
  std::function<void(std::string_view what, const bench::Progress&)> progress;
};

struct TuneOutcome {
  SearchReport report;
  bench::ResultDocument document;  // kind "tune", with every level that was measured
  std::string config_name;         // "config.pbtxt" or "model-config.yaml"; "" = there is no winner
  std::string config_text;
  std::string applied_to;  // the file that was written, or the server; "" = nothing was applied
  Status emitted;          // why the answer could not be written or applied, or the server put back
};

// Blocks. A status only when nothing could be measured; its message says what to do. `stop` as in
// SessionOptions.
Result<TuneOutcome> RunTune(const TuneOptions& options, const std::atomic<bool>* stop,
                            const TuneListener& listener);

// 0, 2 (`emitted`), 3 (nothing meets the SLA), 130 (interrupted).
int ExitCode(const TuneOutcome& outcome);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TUNE_RUN_H_
