// What an operator may set for all workers: `--backend-config=python,KEY=VALUE`.
#ifndef HEADRACE_WORKER_WORKER_OPTIONS_H_
#define HEADRACE_WORKER_WORKER_OPTIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "worker/life_cycle.h"
#include "worker/process.h"
#include "worker/second_batch.h"

namespace headrace::worker {

struct WorkerOptions {
  std::string interpreter = "python3";        // a path, or a name in PATH: `interpreter`
  std::uint64_t data_byte_size = 1ull << 30;  // of each worker's data region: `data-byte-size`
  // `start-timeout-seconds`, `restart-give-up-seconds`.
  LifeCycleOptions life{};
  // `response-timeout-seconds`; 0: none. Nothing: the contract's own (TorchServe's has 120 s).
  std::optional<Nanos> response_timeout{};
  SecondBatch second_batch = SecondBatch::kAuto;  // `second-batch`: auto, on, off
  // `memory-byte-size-max`, `file-byte-size-max`, `open-files-max`, `processes-max`.
  ProcessLimits limits{.open_files_max = 65536};
  // `sandbox` (on, off) and `network` (on, off).
  Confinement confinement{};
  // `environment`: names of variables, with commas or semicolons between them, that workers get
  // besides those of worker/environment.h.
  std::vector<std::string> environment{};
  // `install-requirements` (on, off): handlers get an environment of their own with what their
  // archive's requirementsFile names (worker/own_environment.h); `install-timeout-seconds`.
  bool install_requirements = false;
  Nanos install_timeout = 600 * kSecond;
};

struct ParsedWorkerOptions {
  WorkerOptions options;
  // For the log: keys that are not known, and Triton's keys that have no meaning here.
  std::vector<std::string> warnings;
};

// Pure. `settings`: those of the backend, and those of all backends besides. INVALID_ARGUMENT names
// the key, its value, and what would be right. Triton's own keys (contract 9.4) are checked as it
// checks them and have no effect, since the data region grows by itself: shm-default-byte-size,
// shm-growth-byte-size, stub-timeout-seconds, thread-pool-size, shm_message_queue_size,
// shm-region-prefix-name.
Result<ParsedWorkerOptions> ParseWorkerOptions(const std::map<std::string, std::string>& settings);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_WORKER_OPTIONS_H_
