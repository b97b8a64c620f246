// Processes that a worker started and that outlived it.
#ifndef HEADRACE_WORKER_STRAGGLERS_H_
#define HEADRACE_WORKER_STRAGGLERS_H_

#include <string>
#include <string_view>

namespace headrace::worker {

// Kills every process of this user (but this one) in whose initial environment `mark`
// ("NAME=value") stands, again until none is left; a few rounds at most, since a process may start
// others faster than they are found. Returns how many it killed. Reads /proc: about 15 us for each
// process of the user's. Blocks that long. What cleared its environment is not found.
int KillMarked(std::string_view mark);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_STRAGGLERS_H_
