// Brings one version of a model into memory: backend, completion of the configuration, instances.
#ifndef HEADRACE_REPOSITORY_VERSION_LOADER_H_
#define HEADRACE_REPOSITORY_VERSION_LOADER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "engine/backend.h"
#include "engine/model.h"
#include "repository/model_plan.h"

namespace headrace::repository {

// Thread-safe: versions load in parallel. Borrows the provider and the clock.
class VersionLoader {
 public:
  struct Options {
    engine::QueueLimits queue_limits;
    bool links_may_leave = false;                            // label files
    std::shared_ptr<const engine::InstancePlacer> placer{};  // null: no instance is bound
    std::map<std::string, int> thread_counts{};              // see ModelManagerOptions
  };
  VersionLoader(Options options, engine::BackendProvider& backends, const Clock& clock)
      : options_(options), backends_(backends), clock_(clock) {}

  // Blocks until the version could serve; it is nowhere published yet. The failure is the
  // backend's, or says what is wrong with the configuration.
  Result<std::shared_ptr<engine::Model>> Load(const ModelPlan& plan, std::int64_t version) const;

 private:
  const Options options_;
  engine::BackendProvider& backends_;
  const Clock& clock_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VERSION_LOADER_H_
