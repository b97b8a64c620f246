// Runs a server in this process until a signal ends it.
#ifndef HEADRACE_CLI_RUN_SERVER_H_
#define HEADRACE_CLI_RUN_SERVER_H_

#include <functional>

#include "server/server_config.h"

namespace headrace::torchserve {
class LogLines;
}

namespace headrace::cli {

struct RunHooks {
  std::function<void()> listening = {};  // all listeners are bound
  std::function<void()> loaded = {};     // all models are loaded; on a thread of its own
  // The server does not start, or not all the way: the message for the user.
  std::function<void(const Status&)> failed = {};
};

// Returns the exit status: 0 after a clean end, 1 for an error or when requests were still in
// flight as the exit timeout ran out. SIGTERM and SIGINT drain; a second one ends the process at
// once; SIGHUP reads the certificates again. Once in a process.
int RunServer(const server::ServerConfig& config, const RunHooks& hooks,
              torchserve::LogLines* log = nullptr);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_RUN_SERVER_H_
