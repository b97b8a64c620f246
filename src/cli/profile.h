// `headrace profile`: what a model of a running server does with its time.
#ifndef HEADRACE_CLI_PROFILE_H_
#define HEADRACE_CLI_PROFILE_H_

#include <string>
#include <vector>

namespace headrace::cli {

// `arguments` behind the subcommand. Asks the server for a profile (docs/profile.md), sends load
// meanwhile if asked to, writes the trace to a file and prints its tables. Returns the exit status:
// 0, 1 for wrong arguments, 2 when the server gave no profile.
int Profile(const std::vector<std::string>& arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_PROFILE_H_
