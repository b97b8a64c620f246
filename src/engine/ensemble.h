// The scheduler of an ensemble: takes its requests in place of a queue and instances.
#ifndef HEADRACE_ENGINE_ENSEMBLE_H_
#define HEADRACE_ENGINE_ENSEMBLE_H_

#include <memory>
#include <vector>

#include "base/result.h"
#include "engine/ensemble_plan.h"
#include "engine/model.h"
#include "engine/registry.h"
#include "engine/request.h"
#include "tensor/block_pool.h"

namespace headrace::engine {

// The versions that the steps of one request run on, pinned (Model::Pin) as long as this lives:
// neither a reload nor an unload of one of them takes it away under the request. Immutable.
class EnsemblePins {
 public:
  struct Part {
    ModelHandle model;
    std::shared_ptr<const EnsemblePins> inner;  // of a step that is an ensemble itself
  };

  EnsemblePins() = default;
  ~EnsemblePins();
  EnsemblePins(const EnsemblePins&) = delete;
  EnsemblePins& operator=(const EnsemblePins&) = delete;

  const Part& step(std::size_t i) const { return parts_[i]; }

 private:
  friend class Ensemble;
  std::vector<Part> parts_;  // by step
};

// Thread-safe. Borrows the registry, and the pool that the steps' outputs come from.
//
// Cost of a request on top of its steps' own: two atomic additions for each pin, one look at the
// registry, one short mutex of its own per step that starts or ends, and no thread hop: a step is
// submitted by the thread that made its last input.
class Ensemble {
 public:
  Ensemble(EnsemblePlan plan, const Registry& registry, BlockPool& pool)
      : plan_(std::move(plan)), registry_(registry), pool_(pool) {}

  const EnsemblePlan& plan() const { return plan_; }

  // The versions that serve now. The failure is the registry's, for the first model that is not
  // there.
  Result<std::shared_ptr<const EnsemblePins>> Pin() const { return Pin(0); }

  // OK if every step's version is there and ready (Model::Health); else UNAVAILABLE with what the
  // first one that is not says.
  Status Health() const { return Health(0); }

  // Runs the request, which has been validated. `pins` null: Pin() is asked. Does not block.
  void Start(std::unique_ptr<InferRequest> request, std::shared_ptr<const EnsemblePins> pins) const;

 private:
  Result<std::shared_ptr<const EnsemblePins>> Pin(std::size_t depth) const;
  Status Health(std::size_t depth) const;

  const EnsemblePlan plan_;
  const Registry& registry_;
  BlockPool& pool_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_ENSEMBLE_H_
