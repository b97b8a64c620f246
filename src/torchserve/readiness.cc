#include "torchserve/readiness.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "store/model_store.h"

namespace headrace::torchserve {

bool IsHealthy(const ApiServices& api, const frontend::Services& services) {
  return !services.draining.load(std::memory_order_relaxed) && api.store.Healthy();
}

bool IsReady(const ApiServices& api, const frontend::Services& services) {
  if (!frontend::ServerIsReady(services)) {
    return false;
  }
  const std::vector<store::ModelFacts> models = api.store.List();
  return std::all_of(models.begin(), models.end(), [](const store::ModelFacts& facts) {
    return facts.worker_count_min == 0 ||
           (facts.model != nullptr && facts.model->ready_instance_count() > 0);
  });
}

}  // namespace headrace::torchserve
