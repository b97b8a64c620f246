#include "torchserve/loaded_workers.h"

#include <fmt/format.h>

#include "engine/model.h"

namespace headrace::torchserve {

std::vector<LoadedWorker> LoadedWorkersOf(const store::ModelStore& store) {
  std::vector<LoadedWorker> workers;
  for (const store::ModelFacts& model : store.List()) {
    for (const store::ModelFacts& facts : store.Describe(model.name, "all").models) {
      if (facts.model == nullptr) {
        continue;
      }
      const auto load_time_ms =
          static_cast<double>(facts.model->statistics().load_duration() / kMicrosecond) / 1e3;
      for (const store::WorkerFacts& worker : facts.workers) {
        if (worker.ready) {
          workers.push_back(
              {fmt::format("W-{}-{}_{}", worker.id, facts.name, facts.version), load_time_ms});
        }
      }
    }
  }
  return workers;
}

}  // namespace headrace::torchserve
