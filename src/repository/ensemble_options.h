// From an ensemble's configuration to the engine's scheduler of it.
#ifndef HEADRACE_REPOSITORY_ENSEMBLE_OPTIONS_H_
#define HEADRACE_REPOSITORY_ENSEMBLE_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/ensemble.h"
#include "repository/model_config_fwd.h"

namespace headrace::repository {

// The model that serves `version` of the one with this key (-1: the newest) now; null if there is
// none.
using PartFinder = std::function<engine::ModelHandle(const std::string& key, std::int64_t version)>;

// Puts the ensemble together and checks that its models fit (contracts, Triton 3.6). Requires a
// valid configuration with ensemble_scheduling whose steps have the namespaces of their models.
// `signature` is that of the ensemble. The registry and the pool are borrowed by the result.
Result<std::shared_ptr<engine::Ensemble>> BuildEnsemble(const inference::ModelConfig& config,
                                                        const engine::ModelSignature& signature,
                                                        const PartFinder& find_part,
                                                        const engine::Registry& registry,
                                                        BlockPool& pool);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ENSEMBLE_OPTIONS_H_
