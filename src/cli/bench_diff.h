// `headrace bench diff A B`: compares two results.
#ifndef HEADRACE_CLI_BENCH_DIFF_H_
#define HEADRACE_CLI_BENCH_DIFF_H_

#include <string>
#include <vector>

namespace headrace::cli {

// `arguments` behind `diff`. The process's exit code: 0 nothing is worse (or the gate is met), 1
// usage, 2 a file cannot be read or no level is in both, 3 something is worse (or the gate missed).
int BenchDiff(const std::vector<std::string>& arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_BENCH_DIFF_H_
