// Where the workers are that break the rules.
#ifndef HEADRACE_WORKER_TESTING_ROGUE_WORKER_H_
#define HEADRACE_WORKER_TESTING_ROGUE_WORKER_H_

#include <string>

namespace headrace::worker::testing {

// The runtime directory of a backend whose workers do what the model's name says.
std::string RogueWorkerDirectory();

}  // namespace headrace::worker::testing

#endif  // HEADRACE_WORKER_TESTING_ROGUE_WORKER_H_
