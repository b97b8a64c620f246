// The workers of a model store, as WorkerLoadTime names them.
#ifndef HEADRACE_TORCHSERVE_LOADED_WORKERS_H_
#define HEADRACE_TORCHSERVE_LOADED_WORKERS_H_

#include <vector>

#include "store/model_store.h"
#include "torchserve/metrics.h"

namespace headrace::torchserve {

// Those that are ready, of all versions of all models. Does not block. The time is that of their
// version's load: the workers of a version start together.
std::vector<LoadedWorker> LoadedWorkersOf(const store::ModelStore& store);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_LOADED_WORKERS_H_
