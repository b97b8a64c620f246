// The `models` key of config.properties (contracts, TorchServe 5.2). Pure, thread-safe.
#ifndef HEADRACE_STORE_CONFIGURED_MODELS_H_
#define HEADRACE_STORE_CONFIGURED_MODELS_H_

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "store/model_store.h"

namespace headrace::store {

inline constexpr std::size_t kModelsJsonByteSizeMax = std::size_t{4} << 20;

// {name: {version: {minWorkers, maxWorkers, batchSize, maxBatchDelay, responseTimeout,
// startupTimeout, ...}}}. Numbers may be strings; what is no number, or not above 0, counts as not
// said. INVALID_ARGUMENT for what is no JSON of that form, or larger than kModelsJsonByteSizeMax.
Result<ConfiguredModels> ParseConfiguredModels(std::string_view json);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_CONFIGURED_MODELS_H_
