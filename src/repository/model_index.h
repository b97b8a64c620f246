// What the repository index and the readiness of the server say, from the registry's snapshot.
// Pure.
#ifndef HEADRACE_REPOSITORY_MODEL_INDEX_H_
#define HEADRACE_REPOSITORY_MODEL_INDEX_H_

#include <vector>

#include "engine/registry.h"
#include "repository/layout.h"
#include "repository/model_manager.h"

namespace headrace::repository {

// One entry for each version in `snapshot`, for each problem of `scan`, and for each model of
// `scan` that the snapshot does not have; by name, namespace, then by version as a number.
// `ready_only` leaves the READY versions.
std::vector<IndexEntry> BuildIndex(const engine::RegistrySnapshot& snapshot,
                                   const RepositoryScan& scan, bool ready_only);

// True if every version is READY, or ends or has ended because it was asked to (contracts,
// Triton 5.5).
bool AllInOrder(const engine::RegistrySnapshot& snapshot);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_INDEX_H_
