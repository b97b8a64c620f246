// What a poll sees of the repositories.
#ifndef HEADRACE_REPOSITORY_REPOSITORY_LOOK_H_
#define HEADRACE_REPOSITORY_REPOSITORY_LOOK_H_

#include "repository/layout.h"
#include "repository/poll_tracker.h"

namespace headrace::repository {

// Walks the directory of each model that `scan` found. Thread-safe; blocks on the file system.
PollTracker::Look LookAt(const RepositoryScan& scan, bool links_may_leave);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_REPOSITORY_LOOK_H_
