// What the management API tells of models, as JSON; gRPC tells the same (contracts, TorchServe 2.4
// and 2.6). Pure, thread-safe.
#ifndef HEADRACE_TORCHSERVE_MANAGEMENT_DOCUMENTS_H_
#define HEADRACE_TORCHSERVE_MANAGEMENT_DOCUMENTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/model_store.h"

namespace headrace::torchserve {

// The array of `describe`, indented. `customized`: the JSON object that the handler has told of
// itself, for the first of `models`; empty: nobody has asked for it.
std::string DescriptionJson(const std::vector<store::ModelFacts>& models,
                            std::string_view customized = {});

// One page of the list, indented. `models` by name; a limit that is not in [0, 100] is 100, an
// offset below 0 is 0.
std::string ModelListJson(const std::vector<store::ModelFacts>& models, std::int64_t limit,
                          std::int64_t offset);

// "2026-11-29T23:59:59.123Z".
std::string UtcTime(std::int64_t unix_ms);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_MANAGEMENT_DOCUMENTS_H_
