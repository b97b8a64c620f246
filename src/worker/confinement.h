// What the kernel is told to refuse to a worker: the seccomp filter and the Landlock rules. The
// filter is a list of what is denied, not of what is allowed: models and their libraries use too
// much of the kernel to know it beforehand.
#ifndef HEADRACE_WORKER_CONFINEMENT_H_
#define HEADRACE_WORKER_CONFINEMENT_H_

#include <linux/filter.h>

#include <vector>

#include "base/unique_fd.h"
#include "worker/process.h"

namespace headrace::worker {

// Pure. The program for seccomp's filter mode; empty if nothing is to be denied. Denied calls fail
// with EPERM; clone3 with ENOSYS, so that libraries fall back to clone, whose flags a filter can
// see. Calls of another architecture than the server's (32-bit ones) fail with EPERM.
std::vector<sock_filter> SystemCallFilter(const Confinement& confinement);

// A Landlock rule set that leaves the file system as it is, but makes the process that restricts
// itself by it, and what it starts, blind to all others: it cannot look into /proc/<server>/fd,
// environ or mem even as the server's own user, nor (Linux 6.12) send it signals. Invalid where the
// kernel has no Landlock (before Linux 5.19, or switched off).
UniqueFd MakeProcessFence();

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_CONFINEMENT_H_
