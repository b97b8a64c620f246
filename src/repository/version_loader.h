// Brings one version of a model into memory: backend, completion of the configuration, instances.
#ifndef HEADRACE_REPOSITORY_VERSION_LOADER_H_
#define HEADRACE_REPOSITORY_VERSION_LOADER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "engine/backend.h"
#include "engine/model.h"
#include "engine/rate_limiter.h"
#include "engine/registry.h"
#include "engine/request_stages.h"
#include "engine/response_cache.h"
#include "handler/cpu_pool.h"
#include "repository/ensemble_options.h"
#include "repository/model_plan.h"
#include "repository/variants.h"
#include "tensor/block_pool.h"

namespace headrace::repository {

// Thread-safe: versions load in parallel. Borrows everything that it is given.
class VersionLoader {
 public:
  struct Options {
    engine::QueueLimits queue_limits;
    bool links_may_leave = false;                            // label files
    std::shared_ptr<const engine::InstancePlacer> placer{};  // null: no instance is bound
    std::map<std::string, int> thread_counts{};              // see ModelManagerOptions
    VariantOptions variants = {.wish = kVariantsOff};
  };
  // What the models that it makes use.
  struct Parts {
    engine::BackendProvider& backends;
    const engine::Registry& registry;  // where ensembles find their models
    PartFinder find_part;              // what serves, when it may not be in the registry yet
    BlockPool& pool;
    std::shared_ptr<engine::ResponseCache> cache;  // null: none
    std::shared_ptr<engine::RateLimiter> limiter;  // null: off
    std::shared_ptr<handler::CpuPool> cpu;         // of native handlers; null: there are none
  };
  VersionLoader(Options options, Parts parts, const Clock& clock)
      : options_(options), parts_(std::move(parts)), clock_(clock) {}

  // Blocks until the version could serve; it is nowhere published yet. The failure is the
  // backend's, or says what is wrong with the configuration. A variant that is to serve and cannot
  // be loaded is a warning in the log: the original serves.
  Result<std::shared_ptr<engine::Model>> Load(const ModelPlan& plan, std::int64_t version) const;

 private:
  // `variant` null: the original.
  Result<std::shared_ptr<engine::Model>> LoadAs(const ModelPlan& plan, std::int64_t version,
                                                const Variant* variant) const;
  // What the configuration asks of the engine beside instances and queue.
  Status AddServices(const ModelPlan& plan, const inference::ModelConfig& config,
                     engine::ModelOptions& options) const;
  // `stages`: what stands before the backend, if anything does.
  Result<std::unique_ptr<engine::LoadedModel>> LoadByBackend(
      engine::LoadSpec spec, const ModelPlan& plan, const Variant* variant,
      std::shared_ptr<engine::RequestStages>& stages) const;

  const Options options_;
  const Parts parts_;
  const Clock& clock_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VERSION_LOADER_H_
