// Measures the points of a suite one after another.
#ifndef HEADRACE_BENCH_SUITE_RUN_H_
#define HEADRACE_BENCH_SUITE_RUN_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "bench/session.h"
#include "bench/suite_plan.h"
#include "bench/suite_spec.h"
#include "bench/suite_state.h"

namespace headrace::bench {

// A server whose models can be given configurations. One thread.
class SuiteTarget {
 public:
  virtual ~SuiteTarget() = default;
  // Makes the point's configuration serve; returns when it does. The message of a failure is what
  // the report says of all points of this configuration.
  virtual Status Apply(const SuitePoint& point) = 0;
  // Measures the point under the configuration that was applied last.
  virtual Result<PointResult> Measure(const SuitePoint& point,
                                      const std::function<void(const Progress&)>& progress) = 0;
  // Puts back what was there before the suite.
  virtual Status Restore() = 0;
};

// What the terminal shows.
struct SuiteProgress {
  std::size_t number = 0, count = 0;  // of the point that is under way, from 1
  const SuitePoint* point = nullptr;
  const Progress* level = nullptr;  // null: its configuration is being loaded
  Nanos elapsed = 0;
  Nanos left = 0;  // estimated, of the whole suite
};

struct SuiteRunOptions {
  const std::atomic<bool>* stop = nullptr;  // set from a signal handler; ends after what is known
  std::function<void(const SuiteProgress&)> progress;
  std::function<void(const SuitePoint&, const PointResult&)> on_point;
  const Clock* clock = &Clock::Real();
};

struct SuiteOutcome {
  std::size_t measured = 0, failed = 0, resumed = 0;
  bool interrupted = false;
};

// Runs the points of `plan` that `state` does not have, and restores the target. A point that
// cannot be loaded or measured is kept with its reason, and the run goes on. The status is a fault
// of this side: the state file cannot be written.
Result<SuiteOutcome> RunSuite(const SuiteSpec& spec, const std::vector<SuitePoint>& plan,
                              SuiteTarget& target, SuiteState& state,
                              const SuiteRunOptions& options);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_RUN_H_
