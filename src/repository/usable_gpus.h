// The GPUs that instance groups may be placed on.
#ifndef HEADRACE_REPOSITORY_USABLE_GPUS_H_
#define HEADRACE_REPOSITORY_USABLE_GPUS_H_

#include <functional>
#include <vector>

#include "engine/backend.h"

namespace headrace::repository {

struct UsableGpus {
  std::vector<int> ids;  // ascending; empty: the machine has none that can be used
  double compute_capability_min = 6.0;
  // Whether the backend of a model wants its instances on a GPU where the configuration leaves that
  // open. Asked only where there are GPUs; may open the backend's library. Null: they are.
  std::function<bool(const engine::LoadSpec& spec)> wanted_by_backend;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_USABLE_GPUS_H_
