// What holds for one version: of the request, its archive, the server's configuration and the
// defaults whichever says something first (contracts, TorchServe 2.2). Pure, thread-safe.
#ifndef HEADRACE_STORE_MODEL_SETTINGS_H_
#define HEADRACE_STORE_MODEL_SETTINGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "repository/handler_settings.h"
#include "store/model_store.h"

namespace headrace::store {

struct ModelSettings {
  std::int64_t worker_count_min = 0, worker_count_max = 0;
  std::int64_t batch_size = 1, batch_delay_ms = 100;
  std::int64_t response_timeout_s = 120, startup_timeout_s = 120, retry_timeout_s = 300;
  std::int64_t queue_capacity = 100;
  std::vector<int> gpus;      // its workers go to these in turn; empty: they have none
  bool own_gpu_turn = false;  // it names GPUs: the turn is its own and not that of all models
};

// Of those, the ones that the archive alone says and `describe` shows (contracts, TorchServe 2.4
// and 6.1).
struct ArchiveFacts {
  std::int64_t client_timeout_ms = 0;
  std::string parallel_type;
  std::int64_t parallel_level = 0;
  bool continuous_batching = false, job_ticket = false, own_environment = false, stateful = false;
  std::int64_t sequence_idle_ms = 0, sequence_timeout_ms = 0;
  std::int64_t sequence_count_max = 0, sequence_queue_size = 0;
};

// How many workers a version is to have that nobody says anything of.
std::int64_t DefaultWorkerCount(const ModelStoreOptions& options, bool at_start);

// `wanted`: the request's; `archive`: model-config.yaml's; `configured`: those of the `models` key.
ModelSettings MergeSettings(const WantedSettings& wanted,
                            const repository::HandlerSettings& archive,
                            const WantedSettings& configured, const ModelStoreOptions& options,
                            bool at_start);

// `archive`: as above.
ArchiveFacts FactsOfArchive(const repository::HandlerSettings& archive,
                            const ModelSettings& settings);

// kBadRequest where it asks for more workers than a model may have.
StoreError CheckWorkerCounts(std::int64_t min, std::int64_t max, const ModelStoreOptions& options);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_MODEL_SETTINGS_H_
