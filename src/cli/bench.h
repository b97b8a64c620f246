// `headrace bench`: measures a server.
#ifndef HEADRACE_CLI_BENCH_H_
#define HEADRACE_CLI_BENCH_H_

#include <string>
#include <vector>

namespace headrace::cli {

// `arguments` behind the subcommand's name. The process's exit code (docs/bench.md): 0 ok, 1 usage,
// 2 the run failed, 3 an SLA was missed, 130 interrupted with what is known written.
int Bench(const std::vector<std::string>& arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_BENCH_H_
