#include "store/model_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <thread>

namespace headrace::store {
namespace {

using Setting = std::optional<std::int64_t>;

// The first that is said; what is less than `min` counts as not said, as it does in TorchServe.
std::int64_t First(std::initializer_list<Setting> settings, std::int64_t otherwise,
                   std::int64_t min = 1) {
  for (const Setting& setting : settings) {
    if (setting && *setting >= min) {
      return *setting;
    }
  }
  return otherwise;
}

}  // namespace

std::int64_t DefaultWorkerCount(const ModelStoreOptions& options, bool at_start) {
  if (!at_start) {
    return std::max<std::int64_t>(options.worker_count_of_registered, 0);
  }
  if (options.worker_count_at_start && *options.worker_count_at_start > 0) {
    return *options.worker_count_at_start;
  }
  return options.gpu_ids.empty() ? std::max<std::int64_t>(1, std::thread::hardware_concurrency())
                                 : static_cast<std::int64_t>(options.gpu_ids.size());
}

ModelSettings MergeSettings(const WantedSettings& wanted,
                            const repository::HandlerSettings& archive,
                            const WantedSettings& configured, const ModelStoreOptions& options,
                            bool at_start) {
  ModelSettings settings;
  settings.batch_size =
      First({wanted.batch_size, archive.batch_size, configured.batch_size}, settings.batch_size);
  // No delay at all can be asked for by the request; elsewhere 0 counts as not said.
  settings.batch_delay_ms =
      wanted.batch_delay_ms && *wanted.batch_delay_ms >= 0
          ? *wanted.batch_delay_ms
          : First({archive.batch_delay_ms, configured.batch_delay_ms}, settings.batch_delay_ms);
  settings.response_timeout_s =
      First({wanted.response_timeout_s, archive.response_timeout_s, configured.response_timeout_s},
            options.response_timeout_s);
  settings.startup_timeout_s =
      First({wanted.startup_timeout_s, archive.startup_timeout_s, configured.startup_timeout_s},
            options.startup_timeout_s);
  settings.retry_timeout_s = First({archive.retry_timeout_s}, settings.retry_timeout_s);
  settings.queue_capacity = First({archive.job_queue_size}, options.job_queue_size);
  if (wanted.worker_count_min) {
    settings.worker_count_min = std::max<std::int64_t>(0, *wanted.worker_count_min);
    settings.worker_count_max =
        First({wanted.worker_count_max}, settings.worker_count_min, settings.worker_count_min);
  } else {
    settings.worker_count_min = First({archive.worker_count_min, configured.worker_count_min},
                                      DefaultWorkerCount(options, at_start));
    settings.worker_count_max =
        std::max(settings.worker_count_min,
                 First({archive.worker_count_max, configured.worker_count_max}, 0));
  }
  if (archive.device_type != "cpu") {
    settings.gpus = options.gpu_ids;
  }
  const auto named = [&](int gpu) {
    return std::find(archive.device_ids.begin(), archive.device_ids.end(), gpu) !=
           archive.device_ids.end();
  };
  // One that the machine does not have makes the whole list void.
  if (!archive.device_ids.empty() &&
      static_cast<std::size_t>(std::count_if(settings.gpus.begin(), settings.gpus.end(), named)) ==
          archive.device_ids.size()) {
    settings.gpus = archive.device_ids;
    settings.own_gpu_turn = true;
  }
  if (archive.parallel.gpus_per_worker > 1) {
    settings.gpus = repository::FirstOfGroups(settings.gpus, archive.parallel.gpus_per_worker);
    settings.own_gpu_turn = true;
  }
  return settings;
}

ArchiveFacts FactsOfArchive(const repository::HandlerSettings& archive,
                            const ModelSettings& settings) {
  ArchiveFacts facts;
  facts.client_timeout_ms = archive.client_timeout_ms.value_or(0);
  facts.parallel_type = archive.parallel.type;
  facts.parallel_level = archive.parallel.level;
  facts.continuous_batching = archive.continuous_batching;
  facts.job_ticket = archive.job_ticket;
  facts.own_environment = archive.own_environment;
  if (archive.sequence_idle_ms) {
    facts.stateful = true;
    facts.sequence_idle_ms = *archive.sequence_idle_ms;
    facts.sequence_timeout_ms = archive.sequence_timeout_ms.value_or(0);
    facts.sequence_queue_size = archive.sequence_queue_size.value_or(1);
    facts.sequence_count_max = std::max(archive.sequence_count_max.value_or(1),
                                        settings.batch_size * settings.worker_count_max);
  }
  return facts;
}

StoreError CheckWorkerCounts(std::int64_t min, std::int64_t max, const ModelStoreOptions& options) {
  if (min < 0) {
    return {StoreFault::kBadRequest, "min_worker cannot be less than 0."};
  }
  if (max < min) {
    return {StoreFault::kBadRequest, "max_worker cannot be less than min_worker."};
  }
  if (max > options.worker_count_max) {
    return {StoreFault::kBadRequest,
            fmt::format("A model may have {} workers at most, {} were asked for "
                        "(max_workers_per_model)",
                        options.worker_count_max, max)};
  }
  return {};
}

}  // namespace headrace::store
