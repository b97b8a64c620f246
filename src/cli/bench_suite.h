// `headrace bench suite FILE`: measures many configurations and loads, and writes their reports.
#ifndef HEADRACE_CLI_BENCH_SUITE_H_
#define HEADRACE_CLI_BENCH_SUITE_H_

#include <string>
#include <vector>

namespace headrace::cli {

// `arguments` behind `suite`. The process's exit code: 0 ok, 1 usage, 2 a point failed or the
// server cannot be had, 3 the gate was missed, 130 interrupted (the reports hold what is known, and
// the same command goes on).
int BenchSuite(const std::vector<std::string>& arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_BENCH_SUITE_H_
