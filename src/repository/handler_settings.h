// The settings that a handler's model brings with it: model-config.yaml (contracts, TorchServe 6).
// Pure, thread-safe.
#ifndef HEADRACE_REPOSITORY_HANDLER_SETTINGS_H_
#define HEADRACE_REPOSITORY_HANDLER_SETTINGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repository/parallel_settings.h"

namespace headrace::repository {

// What the server itself acts on; nothing: not said, or said in a way that counts as not said.
struct HandlerSettings {
  std::optional<std::int64_t> worker_count_min, worker_count_max;  // both or none
  std::optional<std::int64_t> batch_size;
  std::optional<std::int64_t> batch_delay_ms;
  std::optional<std::int64_t> response_timeout_s, startup_timeout_s, retry_timeout_s;
  std::optional<std::int64_t> job_queue_size;
  std::optional<std::int64_t> client_timeout_ms;
  bool job_ticket = false;
  // priorityLevels and defaultPriority, which TorchServe does not have: 1 is the highest.
  std::optional<std::int64_t> priority_level_count, default_priority;
  bool continuous_batching = false;
  bool own_environment = false;              // useVenv
  bool fork_workers = false;                 // forkWorkers, of ours
  std::optional<std::int64_t> thread_count;  // threadsPerWorker, of ours
  std::string requirements_file;             // the manifest's; empty: it names none
  // Of sequences; said only where sequenceMaxIdleMSec is.
  std::optional<std::int64_t> sequence_idle_ms, sequence_timeout_ms;
  std::optional<std::int64_t> sequence_count_max, sequence_queue_size;
  std::string device_type;      // "cpu", "gpu"; empty: as the host has
  std::vector<int> device_ids;  // empty: all
  ParallelSettings parallel;    // its warnings are among those below
  std::string json;             // the whole file, for the handler; empty: there is none
  std::vector<std::string>
      warnings;  // keys of a wrong type, and those that this version does not act on
};

// INVALID_ARGUMENT for what is no YAML, or no map (yaml_json.h).
Result<HandlerSettings> ReadHandlerSettings(std::string_view yaml);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_HANDLER_SETTINGS_H_
