// `headrace serve`: runs a server until a signal ends it.
#ifndef HEADRACE_CLI_SERVE_H_
#define HEADRACE_CLI_SERVE_H_

#include <string>
#include <vector>

namespace headrace::cli {

// `arguments` behind the subcommand. Returns the exit status: 0 after a clean end, 1 for an error
// or when requests were still in flight as the exit timeout ran out. SIGTERM and SIGINT drain; a
// second one ends the process at once.
int Serve(const std::vector<std::string>& arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_SERVE_H_
