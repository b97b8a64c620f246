#include "worker/testing/rogue_worker.h"

namespace headrace::worker::testing {

std::string RogueWorkerDirectory() { return HEADRACE_TEST_ROGUE_WORKER; }

}  // namespace headrace::worker::testing
