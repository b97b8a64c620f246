// What a run was made of, for its document.
#ifndef HEADRACE_BENCH_DESCRIBE_H_
#define HEADRACE_BENCH_DESCRIBE_H_

#include <string>
#include <vector>

#include "bench/result_json.h"
#include "load/server_control.h"
#include "load/target.h"
#include "load/workload.h"

namespace headrace::bench {

TargetDescription DescribeTarget(const load::TargetSpec& target);
// Asks `control` (may be null) for platforms and configurations.
std::vector<ItemDescription> DescribeWorkload(const load::Workload& workload,
                                              load::ServerControl* control);
// The wall clock in UTC: "2026-11-30T04:00:00Z".
std::string TimeText();

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_DESCRIBE_H_
