// `headrace tune`: the configuration that serves the most within an SLA.
#ifndef HEADRACE_CLI_TUNE_H_
#define HEADRACE_CLI_TUNE_H_

#include <string>
#include <vector>

namespace headrace::cli {

// `arguments` behind the subcommand's name. The process's exit code (docs/tune.md): 0 ok, 1 usage,
// 2 the run failed, 3 nothing meets the SLA, 130 interrupted with what is known written.
int Tune(const std::vector<std::string>& arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_TUNE_H_
