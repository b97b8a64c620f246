// What fills a slot of a sequence batch that has no request.
#ifndef HEADRACE_ENGINE_PLACEHOLDER_REQUEST_H_
#define HEADRACE_ENGINE_PLACEHOLDER_REQUEST_H_

#include <cstddef>
#include <memory>

#include "engine/request.h"
#include "engine/sequence_options.h"

namespace headrace::engine {

// A request with the first `client_input_count` inputs of `like`, controls that are all false, and
// initial state. What is answered to it is dropped, and counts nowhere. `options` must outlive it.
std::unique_ptr<InferRequest> MakePlaceholder(const InferRequest& like,
                                              std::size_t client_input_count,
                                              const SequenceOptions& options);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_PLACEHOLDER_REQUEST_H_
