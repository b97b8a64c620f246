// `headrace top`: a running server in a terminal.
#ifndef HEADRACE_CLI_TOP_H_
#define HEADRACE_CLI_TOP_H_

#include <string>
#include <vector>

namespace headrace::cli {

// `arguments` behind `top`. The process's exit code: 0 ok, 1 usage, 2 with --once where the server
// does not answer.
int Top(const std::vector<std::string>& arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_TOP_H_
