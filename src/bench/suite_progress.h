// How a suite is going, for a terminal or a log.
#ifndef HEADRACE_BENCH_SUITE_PROGRESS_H_
#define HEADRACE_BENCH_SUITE_PROGRESS_H_

#include <string>
#include <vector>

#include "bench/suite_plan.h"
#include "bench/suite_run.h"
#include "bench/suite_state.h"

namespace headrace::bench {

// "[3/24] resnet18, max batch 8 | closed, 8 at a time, 1m 05s left".
std::string SuiteProgressText(const SuiteProgress& progress);
// One line for a point that has ended.
std::string PointText(std::size_t number, std::size_t count, const SuitePoint& point,
                      const PointResult& result);
// What --dry-run prints: the points, and how long they will take.
std::string PlanText(const std::vector<SuitePoint>& plan);
// "2m 05s", "45 s", "1h 02m".
std::string TimeText(Nanos nanos);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_PROGRESS_H_
