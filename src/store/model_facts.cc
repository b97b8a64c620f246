#include "store/model_facts.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <utility>

#include "store/worker_placer.h"
#include "worker/life_cycle.h"

namespace headrace::store {
namespace {

// Of a process, in bytes; 0 where it cannot be read.
std::uint64_t ResidentByteSize(std::int64_t process_id) {
  if (process_id <= 0) {
    return 0;
  }
  std::ifstream file(fmt::format("/proc/{}/statm", process_id));
  std::uint64_t total = 0, resident = 0;
  return file >> total >> resident ? resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))
                                   : 0;
}

WorkerFacts WorkerOf(const engine::InstanceFacts& instance) {
  WorkerFacts worker;
  worker.id = IdOfWorker(instance.name);
  if (instance.process.id > 0) {
    worker.process_id = instance.process.id;
    worker.started_unix_ms = instance.process.started_unix_ms;
    worker.memory_byte_size = ResidentByteSize(instance.process.id);
  }
  worker.ready = instance.health.state == engine::InstanceHealth::State::kReady;
  worker.reason = instance.health.reason;
  worker.on_gpu = instance.on_gpu;
  worker.device_id = instance.device_id;
  return worker;
}

}  // namespace

bool HasGivenUp(const engine::InstanceFacts& instance) {
  return instance.health.state == engine::InstanceHealth::State::kDown &&
         instance.health.reason.find(worker::kFailedForGood) != std::string::npos;
}

bool IsHealthy(const Catalog::Entry& entry, const engine::Model* model) {
  std::int64_t count = entry.state.starting;
  if (model != nullptr) {
    const std::vector<engine::InstanceFacts> instances = model->Instances();
    count += std::count_if(instances.begin(), instances.end(),
                           [](const auto& instance) { return !HasGivenUp(instance); });
  }
  return count >= entry.state.worker_count_min;
}

ModelFacts FactsOf(const Catalog::Entry& entry, engine::ModelHandle model) {
  const VersionRecord& version = *entry.version;
  const ModelSettings& settings = version.settings;
  const ArchiveFacts& archive = version.archive;
  ModelFacts facts;
  facts.name = version.name;
  facts.version = version.version;
  facts.url = version.url;
  facts.runtime = version.runtime;
  facts.internal_workflow = version.workflow;
  facts.worker_count_min = entry.state.worker_count_min;
  facts.worker_count_max = entry.state.worker_count_max;
  facts.batch_size = settings.batch_size;
  facts.batch_delay_ms = settings.batch_delay_ms;
  facts.response_timeout_s = settings.response_timeout_s;
  facts.startup_timeout_s = settings.startup_timeout_s;
  facts.retry_timeout_s = settings.retry_timeout_s;
  facts.client_timeout_ms = archive.client_timeout_ms;
  facts.queue_capacity = settings.queue_capacity;
  facts.device_type = settings.gpus.empty() ? "cpu" : "gpu";
  if (settings.own_gpu_turn) {
    facts.device_ids = settings.gpus;
  }
  facts.parallel_type = archive.parallel_type;
  facts.parallel_level = archive.parallel_level;
  facts.continuous_batching = archive.continuous_batching;
  facts.job_ticket = archive.job_ticket;
  facts.own_environment = archive.own_environment;
  facts.stateful = archive.stateful;
  facts.sequence_idle_ms = archive.sequence_idle_ms;
  facts.sequence_timeout_ms = archive.sequence_timeout_ms;
  facts.sequence_count_max = archive.sequence_count_max;
  facts.sequence_queue_size = archive.sequence_queue_size;
  facts.is_default = entry.is_default;
  facts.loaded_at_start = version.at_start;
  facts.load_error = entry.state.load_error;
  facts.scaling_reason = entry.state.scaling_reason;
  facts.worker_count_wanted = entry.state.worker_count_wanted;
  if (model != nullptr) {
    facts.queue_depth = static_cast<std::int64_t>(model->pending_count());
    for (const engine::InstanceFacts& instance : model->Instances()) {
      facts.workers.push_back(WorkerOf(instance));
      if (facts.load_error.empty() && !facts.workers.back().ready && HasGivenUp(instance)) {
        facts.load_error = instance.health.reason;
      }
    }
  }
  facts.model = std::move(model);
  return facts;
}

}  // namespace headrace::store
