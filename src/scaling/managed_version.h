// What the autoscaler knows of one version. Internal.
#ifndef HEADRACE_SCALING_MANAGED_VERSION_H_
#define HEADRACE_SCALING_MANAGED_VERSION_H_

#include <memory>
#include <mutex>
#include <optional>

#include "engine/model.h"
#include "scaling/autoscaler.h"
#include "scaling/online_model.h"
#include "scaling/scaling_policy.h"

namespace headrace::scaling {

// Shared by the thread and by the answers of the target.
struct Autoscaler::Managed {
  Managed(const ScalingPolicyOptions& options, const engine::ModelHandle& of)
      : policy(of->options().online ? LoadPolicyOf(*of->options().online) : options), model(of) {
    if (of->options().online) {
      online.emplace(*of->options().online);
    }
  }

  // Of the version that has gone, or shall be left alone.
  void Release() {
    if (const engine::ModelHandle still = model.lock()) {
      still->SetWaitsForInstances(false);
    }
  }

  mutable std::mutex mutex;  // guards what follows
  ScalingPolicy policy;
  std::optional<OnlineModel> online;
  const std::weak_ptr<engine::Model> model;
  bool changing = false;  // the target is at it
  Figures figures;
};

}  // namespace headrace::scaling

#endif  // HEADRACE_SCALING_MANAGED_VERSION_H_
