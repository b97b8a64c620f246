// What the program does to its own process before it serves (reliability D24).
#ifndef HEADRACE_SERVER_PROCESS_H_
#define HEADRACE_SERVER_PROCESS_H_

#include <string>

#include "base/status.h"

namespace headrace::server {

// umask 077, no core dumps, SIGPIPE ignored, as many file descriptors as the hard limit allows.
// Call once, before other threads start.
void HardenProcess();

// Gives up root for `user`, for good. PERMISSION_DENIED or NOT_FOUND says why it cannot. No-op for
// an empty name.
Status DropPrivileges(const std::string& user);

bool RunsAsRoot();

// The directory of the running program.
std::string ProgramDirectory();

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_PROCESS_H_
