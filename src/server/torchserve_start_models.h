// What a TorchServe loads when it starts (contracts, TorchServe 5.2 to 5.4).
#ifndef HEADRACE_SERVER_TORCHSERVE_START_MODELS_H_
#define HEADRACE_SERVER_TORCHSERVE_START_MODELS_H_

#include <string_view>
#include <vector>

#include "base/result.h"
#include "server/torchserve_config.h"
#include "store/model_store.h"

namespace headrace::server {

// "[name=]archive". A '=' behind a slash, a colon or a question mark is the archive's own.
store::ModelStore::StartModel StartModelOf(std::string_view text);

// Of the snapshot, if there is one; else what load_models says, "all" being what lies in the store.
// INVALID_ARGUMENT: a snapshot that cannot be read, or archives of it that are not there. Blocks on
// the file system.
Result<std::vector<store::ModelStore::StartModel>> StartModels(const TorchServeConfig& config,
                                                               const store::ModelStore& store);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_TORCHSERVE_START_MODELS_H_
