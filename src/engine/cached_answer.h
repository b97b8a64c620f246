// A request's way past the response cache.
#ifndef HEADRACE_ENGINE_CACHED_ANSWER_H_
#define HEADRACE_ENGINE_CACHED_ANSWER_H_

#include <functional>
#include <memory>

#include "base/clock.h"
#include "engine/model.h"
#include "engine/request.h"
#include "engine/response_cache.h"

namespace headrace::engine {

// Answers the request from `cache`, and takes it; or leaves it, with a sink that inserts the answer
// when the request ends well with one response. Then requests that ask the same at the same time
// all run, and the last one's answer stays. Requires: validated, nothing sent yet. Hits and misses
// are counted in the model's statistics (contracts, Triton 4.7). Blocks where the cache's look-ups
// do; insertions go to the cache's threads, if it has any, and the answer follows them.
void AnswerFromCache(const std::shared_ptr<ResponseCache>& cache, Model& model, const Clock& clock,
                     std::unique_ptr<InferRequest>& request);

// The same on the cache's threads, which it must have; `go_on` gets the request that has no answer
// yet. Without a look-up, and at once, when too many wait for those threads. Requires a pin of the
// model, which it gives back behind `go_on`. Does not block.
void AnswerFromCacheElsewhere(const std::shared_ptr<ResponseCache>& cache, Model& model,
                              const Clock& clock, std::unique_ptr<InferRequest> request,
                              std::function<void(std::unique_ptr<InferRequest>)> go_on);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_CACHED_ANSWER_H_
