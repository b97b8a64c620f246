// `torchserve`: starts and stops a server that is a TorchServe (contracts, TorchServe 5.3).
#ifndef HEADRACE_CLI_TORCHSERVE_H_
#define HEADRACE_CLI_TORCHSERVE_H_

#include <string>
#include <vector>

namespace headrace::cli {

// `arguments` behind the program's name. Returns the exit status: 0, 1 for what TorchServe calls
// an error, 2 for a command line that cannot be read. Without --foreground the server is a child,
// which keeps standard output, and this returns when it listens or has failed to.
int TorchServe(const std::vector<std::string>& arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_TORCHSERVE_H_
