// A version of a model whose number of instances may change while it serves.
#ifndef HEADRACE_SCALING_SCALABLE_VERSION_H_
#define HEADRACE_SCALING_SCALABLE_VERSION_H_

#include <cstdint>
#include <string>

#include "engine/registry.h"

namespace headrace::scaling {

// Instances are called workers where they may be TorchServe's.
struct ScalableVersion {
  std::string name, version;      // as its users call them
  std::int64_t worker_count = 0;  // that it was given
  std::int64_t worker_count_min = 0, worker_count_max = 0;
  std::int64_t batch_size = 1;
  engine::ModelHandle model;
};

}  // namespace headrace::scaling

#endif  // HEADRACE_SCALING_SCALABLE_VERSION_H_
